// Faces in pictures, in the browser: see index.d.ts for what each function takes and gives.

import init, { Detector, Device, Embedder, choose as chosen, distance, paperThreshold } from "./pkg/warpface_web.js";
import { forget, load } from "./fetch.js";
import { pixels } from "./picture.js";

// The module, once for all of a page.
let ready;

const join = (folder, name) => (folder.endsWith("/") ? folder : folder + "/") + name;

// Where the detector's networks lie: a folder of the published files, one file of all three, or three URLs.
function detectorFiles(detector) {
  if (Array.isArray(detector)) return detector;
  const isFile = /\.[a-z]+([?#].*)?$/i.test(detector);
  return isFile ? [detector] : ["det1.npy", "det2.npy", "det3.npy"].map((name) => join(detector, name));
}

export class Warpface {
  #name;
  #detector;
  #embedder;

  constructor(name, detector, embedder) {
    this.#name = name;
    this.#detector = detector;
    this.#embedder = embedder;
  }

  static async load({ detector, embedder, wasm, cache = true, onProgress, minSize, thresholds, factor } = {}) {
    if (!detector && !embedder) throw new Error("`detector`, `embedder`: give the URL of one of them at least");
    ready ??= init({ module_or_path: wasm ?? new URL("./pkg/warpface_web_bg.wasm", import.meta.url) });
    await ready;
    const [device, adapter] = await Promise.all([Device.open(), navigator.gpu?.requestAdapter()]);
    const options = { cache, onProgress };
    const build = async (urls, make) => {
      const files = await Promise.all(urls.map((url) => load(url, options)));
      try {
        return make(files);
      } catch (error) {
        // What does not load is not kept: the next try fetches it anew.
        await Promise.all(urls.map(forget));
        throw error;
      }
    };
    const urls = detector && detectorFiles(detector);
    const found = urls && (await build(urls, (files) => new Detector(device, urls, files, minSize, thresholds, factor)));
    const vectors = embedder && (await build([embedder], ([file]) => new Embedder(device, embedder, file)));
    const { vendor = "", architecture = "", description = "" } = adapter?.info ?? {};
    return new Warpface(description || `${vendor} ${architecture}`.trim() || device.name, found, vectors);
  }

  get device() {
    return this.#name;
  }

  get size() {
    return this.#need("embedder").size;
  }

  async detect(picture) {
    return (await this.detectAll([picture]))[0];
  }

  async detectAll(pictures) {
    const detector = this.#need("detector");
    return detector.detect(...columns(await Promise.all(pictures.map(pixels))));
  }

  async embed(picture, faces) {
    const embedder = this.#need("embedder");
    const given = await pixels(picture);
    const list = faces === undefined || Array.isArray(faces) ? faces : [faces];
    if (list?.length === 0) return [];
    const count = list?.length ?? 1;
    const values = await embedder.embed(...columns(Array(count).fill(given)), list && JSON.stringify(list));
    return Array.from({ length: count }, (_, i) => values.slice(i * embedder.dim, (i + 1) * embedder.dim));
  }

  async compare(a, b, { metric, threshold = paperThreshold(metric) } = {}) {
    const pictures = await Promise.all([pixels(a), pixels(b)]);
    const found = await this.detectAll(pictures);
    const faces = pictures.map(({ width, height }, i) => found[i][choose(found[i], width, height)]);
    if (faces.includes(undefined)) return { faces, found, threshold };
    const [x] = await this.embed(pictures[0], faces[0]);
    const [y] = await this.embed(pictures[1], faces[1]);
    const apart = distance(x, y, metric);
    return { faces, found, distance: apart, threshold, same: apart < threshold };
  }

  #need(what) {
    const part = what === "detector" ? this.#detector : this.#embedder;
    if (!part) throw new Error(`\`${what}\`: none was loaded; give its URL to \`Warpface.load\``);
    return part;
  }
}

// A list of pictures as what the module takes.
function columns(pictures) {
  const of = (side) => Uint32Array.from(pictures, (picture) => picture[side]);
  return [pictures.map((picture) => picture.data), of("width"), of("height")];
}

export const choose = (faces, width, height) => chosen(JSON.stringify(faces), width, height);
export { distance, paperThreshold };
