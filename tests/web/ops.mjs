// In the page: every op's cases on the browser's WebGPU.

import init, { Browser, stems } from "/warpface/cases/pkg/warpface_web_cases.js";

export default async function ops({ most }) {
  await init({ module_or_path: "/warpface/cases/pkg/warpface_web_cases_bg.wasm" });
  const results = {};
  for (const stem of stems()) {
    const start = performance.now();
    // A device of its own, since one that failed stays so.
    const browser = await Browser.open();
    const [ran, ...wrong] = await browser.run(stem, most);
    results[stem] = { ran: Number(ran), wrong, ms: performance.now() - start };
  }
  return results;
}
