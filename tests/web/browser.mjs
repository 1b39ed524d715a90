// Runs what a test asks for in headless Chromium: `node browser.mjs PLAYWRIGHT CHROMIUM TASK.json`. The task names folders to
// serve and a module of pages' code to run; what it returns is printed as JSON.

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const [playwright, executablePath, taskFile] = process.argv.slice(2);
const { chromium } = (await import(playwright)).default;
const task = JSON.parse(readFileSync(taskFile, "utf8"));

const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json" };
const requests = {};

// The longest of the served folders that a path begins with, and the file in it.
function file(path) {
  const mounts = Object.entries(task.serve).filter(([mount]) => path.startsWith(mount)).sort(([a], [b]) => b.length - a.length);
  if (!mounts.length) return undefined;
  const [mount, named] = mounts[0];
  const folder = normalize(named);
  const found = normalize(join(folder, path.slice(mount.length)));
  return found === folder || found.startsWith(folder.endsWith(sep) ? folder : folder + sep) ? found : undefined;
}

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  requests[path] = (requests[path] ?? 0) + 1;
  if (path === "/") return response.setHeader("content-type", "text/html").end(task.page ?? "<!doctype html><title>test</title>");
  try {
    const found = file(path);
    const { size } = statSync(found);
    response.writeHead(200, { "content-type": types[extname(found)] ?? "application/octet-stream", "content-length": size });
    createReadStream(found).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

const browser = await chromium.launch({ executablePath, args: ["--enable-unsafe-webgpu", "--no-sandbox", ...(task.flags ?? [])] });
try {
  const context = await browser.newContext(task.context ?? {});
  const page = await context.newPage();
  page.on("console", (message) => console.error(`console: ${message.text()}`));
  page.on("pageerror", (error) => console.error(`page error: ${error.message}`));
  page.setDefaultTimeout(0);
  await page.goto(`http://127.0.0.1:${server.address().port}/${task.open ?? ""}`);
  const result = task.run && (await page.evaluate(async ([module, given]) => (await import(module)).default(given), [task.run, task.given]));
  for (const { path, wait, ...options } of task.screenshots ?? []) {
    if (options.width) await page.setViewportSize({ width: options.width, height: options.height });
    if (options.colorScheme) await page.emulateMedia({ colorScheme: options.colorScheme });
    if (wait) await page.waitForSelector(wait);
    await page.screenshot({ path, fullPage: true });
  }
  console.log(JSON.stringify({ result, requests }));
} finally {
  await browser.close();
  server.close();
}
