#!/usr/bin/env bash
# WGSL in Chromium: a variable that is declared in a loop without a value keeps what the turn before left in it.
#
# Version: Chromium 156.0.8078.108 (Debian's package `chromium`), WebGPU on SwiftShader; driven by playwright-core 1.65.1.
# Expected: WGSL has a function's variable live from its declaration on, and a declaration without a value begin with zero; so
#     each turn of a loop begins anew, as it does with `= array<f32, 4>()` written out.
# Behaviour: a scalar, a vector, an array and a structure, declared in a loop's body and added to, come out with the sum of all
#     turns so far. No warning is given, and no error.
# Output:
SAID='scalar: 6 12 18 24, with a value 6 6 6 6: kept
vector: 6 12 18 24, with a value 6 6 6 6: kept
array: 6 12 18 24, with a value 6 6 6 6: kept
structure: 6 12 18 24, with a value 6 6 6 6: kept'
# Who is hurt: kernels that declare their sums within a loop over tiles: a search for nearest vectors gave wrong rows beyond the first
#     tile. naga had the like until version 30 (gfx-rs/wgpu issue 9489), so native programs by wgpu are right where a page is wrong.
# Fails if that changes. Needs Node.js with npm, and `chromium` on PATH.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm install --silent --no-audit --no-fund --prefix "$work" playwright-core@1.65.1 >/dev/null
cat >"$work/loop.mjs" <<'JS'
import { createServer } from "node:http";
import playwright from "playwright-core";

const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html>"));
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const browser = await playwright.chromium.launch({
  executablePath: process.argv[2],
  args: ["--no-sandbox", "--enable-unsafe-webgpu"],
});
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const said = await page.evaluate(async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  async function run(type, value, member) {
    const code = `
      struct Pair { a: f32, b: f32 }
      @group(0) @binding(0) var<storage, read_write> out: array<f32>;
      @compute @workgroup_size(1) fn main() {
        for (var turn = 0u; turn < 4u; turn++) {
          var sum: ${type}${value};
          for (var k = 1u; k < 4u; k++) { sum${member} += f32(k); }
          out[turn] = sum${member};
        }
      }`;
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const out = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const read = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const bound = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer: out } }],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bound);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(out, 0, read, 0, 16);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    return [...new Float32Array(read.getMappedRange())].join(" ");
  }
  const lines = [];
  for (const [name, type, member] of [
    ["scalar", "f32", ""], ["vector", "vec4<f32>", ".y"], ["array", "array<f32, 4>", "[1]"], ["structure", "Pair", ".b"],
  ]) {
    const [bare, given] = [await run(type, "", member), await run(type, ` = ${type}()`, member)];
    lines.push(`${name}: ${bare}, with a value ${given}: ${bare === given ? "new" : "kept"}`);
  }
  return lines.join("\n");
});
console.log(said);
await browser.close();
server.close();
JS
chromium --version 2>/dev/null || { echo "chromium is not installed"; exit 1; }
said=$(node "$work/loop.mjs" "$(command -v chromium)")
echo "$said"
[ "$said" = "$SAID" ]
