// In the page: how far the browser's pixels of photographs are from those that were decoded by libjpeg.

import { pixels } from "/warpface/picture.js";

export default async function decode({ photos }) {
  const results = [];
  for (const { file, rgb } of photos) {
    const { data, width, height } = await pixels(await (await fetch(file)).blob());
    const expected = new Uint8Array(await (await fetch(rgb)).arrayBuffer());
    const apart = [];
    for (let i = 0, j = 0; j < expected.length; i += 4, j += 3) {
      for (let c = 0; c < 3; c++) {
        const by = Math.abs(data[i + c] - expected[j + c]);
        apart[by] = (apart[by] ?? 0) + 1;
      }
    }
    results.push({ width, height, samples: expected.length, apart: Array.from(apart, (count) => count ?? 0) });
  }
  return results;
}
