// What the page asks of a server is answered here, by the library in this browser. The weights' URLs are the page's parameters:
// ?detector=FOLDER/&embedder=FILE, by default weights/ and weights/facenet.safetensors beside it.

import { Warpface, choose, distance, paperThreshold } from "../index.js";
import { pixels } from "../picture.js";

const given = new URLSearchParams(location.search);
const urls = { detector: given.get("detector") ?? "weights/", embedder: given.get("embedder") ?? "weights/facenet.safetensors" };

const intro = document.querySelector(".intro");
const say = (text) => { intro.querySelector("span").textContent = text; };
const sizes = {};

function progress({ url, loaded, total }) {
  sizes[url] = [loaded, total ?? loaded];
  const [have, all] = Object.values(sizes).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  say(`Weights: ${(have / 1e6).toFixed(1)} of ${(all / 1e6).toFixed(1)} MB.`);
}

const ready = Warpface.load({ ...urls, onProgress: progress });
ready.then(
  (warpface) => say(`Ready, on ${warpface.device}.`),
  (error) => say(`${error.message}.`),
);

// A picture's faces, as the server tells them; kept for as long as the page holds the file.
const looks = new WeakMap();
function look(file) {
  if (!looks.has(file)) looks.set(file, find(file));
  return looks.get(file);
}

async function find(file) {
  const warpface = await ready;
  const picture = await pixels(file);
  const faces = await warpface.detect(picture);
  return { picture, told: { width: picture.width, height: picture.height, faces } };
}

async function compare(form, metric) {
  const warpface = await ready;
  const images = [];
  const embeddings = [];
  for (const file of [form.get("a"), form.get("b")]) {
    const { picture, told } = await look(file);
    const chosen = choose(told.faces, told.width, told.height);
    embeddings.push((await warpface.embed(picture, told.faces[chosen]))[0]);
    images.push({ ...told, chosen });
  }
  const apart = distance(...embeddings, metric);
  const threshold = paperThreshold(metric);
  const origin = "the FaceNet paper's; unproved for this model";
  return { distance: apart, same: apart < threshold, threshold, threshold_origin: origin, metric, model: urls.embedder, images };
}

const outside = window.fetch;
window.fetch = async (path, options) => {
  const asked = typeof path === "string" && path.startsWith("v1/") && new URL(path, location.href);
  if (!asked) return outside(path, options);
  try {
    const isFaces = asked.pathname.endsWith("/faces");
    const answer = isFaces ? (await look(options.body)).told : await compare(options.body, asked.searchParams.get("distance"));
    return Response.json(answer);
  } catch (error) {
    return Response.json({ error: error.message }, { status: 422 });
  }
};
