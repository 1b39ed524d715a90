// In the page: detects and embeds RGB pictures by the package.

import { Warpface } from "/warpface/index.js";

export default async function faces({ pictures, detector, embedder }) {
  const warpface = await Warpface.load({ detector, embedder });
  const read = async ({ url, width, height }) => {
    const data = new Uint8Array(await (await fetch(url)).arrayBuffer());
    return { data, width, height };
  };
  const given = await Promise.all(pictures.map(read));
  const results = [];
  for (const picture of given) {
    const start = performance.now();
    const faces = await warpface.detect(picture);
    const detected = performance.now();
    const embeddings = await warpface.embed(picture, faces);
    const embedded = performance.now();
    results.push({ faces, embeddings: embeddings.map((x) => Array.from(x)), ms: [detected - start, embedded - detected] });
  }
  const together = await warpface.detectAll(given);
  return { device: warpface.device, size: warpface.size, results, together };
}
