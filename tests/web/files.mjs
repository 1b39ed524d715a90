// In the page: what loads, what does not, and what is kept.

import { Warpface } from "/warpface/index.js";

export default async function files({ tries, twice }) {
  const said = {};
  for (const [name, options] of Object.entries(tries)) {
    said[name] = await Warpface.load(options).then(() => "loaded", (error) => error.message);
  }
  const kept = async () => (await (await caches.open("warpface")).keys()).map(({ url }) => new URL(url).pathname);
  const afterErrors = await kept();
  for (let i = 0; i < 2; i++) await Warpface.load(twice);
  const pictures = {};
  const warpface = await Warpface.load(twice);
  for (const [name, picture] of Object.entries({ nothing: undefined, text: "picture.jpg", short: { data: new Uint8Array(10), width: 2, height: 2 } })) {
    pictures[name] = await warpface.detect(picture).then(() => "detected", (error) => error.message);
  }
  pictures.broken = await warpface.detect(new Blob([new Uint8Array(100)])).then(() => "detected", (error) => error.message);
  const black = { data: new Uint8Array(3 * 40 * 30), width: 40, height: 30 };
  const none = await warpface.detect(black);
  const wide = await warpface.detect({ data: new Uint8Array(4 * 200 * 1), width: 200, height: 1 });
  const missing = await warpface.embed(black).then(() => "embedded", (error) => error.message);
  return { said, afterErrors, afterLoads: await kept(), pictures, none, wide, missing };
}
