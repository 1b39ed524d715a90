// Opens the server's page in headless Chromium and uses it as a person does: page.mjs URL A.jpg B.jpg FOLDER [TOKEN].
// Pictures of it go into FOLDER; a JSON object of what was seen is the last line. It speaks Chromium's own protocol, so that
// node alone is needed.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [url, a, b, folder, token] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

/** Starts Chromium; the address of its protocol. */
function start() {
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"];
  const browser = spawn(process.env.WARPFACE_CHROMIUM || "chromium", [...flags, `--user-data-dir=${join(folder, "profile")}`, "about:blank"]);
  const address = new Promise((found, failed) => {
    let text = "";
    browser.stderr.on("data", (data) => {
      text += data;
      const match = /DevTools listening on (ws:\S+)/.exec(text);
      if (match) found(match[1]);
    });
    browser.on("exit", () => failed(new Error(`chromium ended:\n${text}`)));
  });
  return { browser, address };
}

/** A connection to the protocol: `send` a command, `told` of events. */
async function connect(address) {
  const socket = new WebSocket(address);
  await new Promise((open, failed) => { socket.onopen = open; socket.onerror = failed; });
  const waiting = new Map(), events = [];
  let next = 1;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (!message.id) return events.push(message);
    const { done, failed } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) failed(new Error(message.error.message)); else done(message.result);
  };
  const send = (method, params = {}, sessionId) => new Promise((done, failed) => {
    waiting.set(next, { done, failed });
    socket.send(JSON.stringify({ id: next++, method, params, sessionId }));
  });
  return { send, events };
}

const { browser, address } = start();
try {
  const { send, events } = await connect(await address);
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = (method, params) => send(method, params, sessionId);
  for (const domain of ["Page", "DOM", "Runtime", "Network", "Log", "Accessibility"]) await page(`${domain}.enable`);
  const run = async (expression) => {
    const { result, exceptionDetails } = await page("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
    return result.value;
  };
  const until = async (expression) => {
    for (let i = 0; i < 600; i++) {
      if (await run(expression)) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`never: ${expression}\n${await run("document.body.innerText")}`);
  };
  const look = async (name, width, scheme) => {
    await page("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 });
    await page("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await new Promise((done) => setTimeout(done, 150));
    const { data } = await page("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    writeFileSync(join(folder, `${name}.png`), Buffer.from(data, "base64"));
    return run("document.documentElement.scrollWidth <= innerWidth");
  };
  const key = async (name, code, text) => {
    const params = { key: name, code: name, windowsVirtualKeyCode: code, text };
    await page("Input.dispatchKeyEvent", { type: "keyDown", ...params });
    await page("Input.dispatchKeyEvent", { type: "keyUp", ...params });
  };
  const text = (id) => run(`document.getElementById("${id}").textContent`);
  const choose = async (name, file) => {
    const { root } = await page("DOM.getDocument");
    const { nodeId } = await page("DOM.querySelector", { nodeId: root.nodeId, selector: `[data-name=${name}] input` });
    await page("DOM.setFileInputFiles", { nodeId, files: [file] });
  };
  const seen = {};

  await page("Page.navigate", { url });
  await until("document.readyState === 'complete' && Boolean(document.getElementById('answer'))");
  seen.waiting = await text("answer");
  seen.fits = [await look("empty-light-1280", 1280, "light"), await look("empty-dark-390", 390, "dark")];
  // Everything is reached by the keyboard: the two photographs come first.
  const reached = [];
  for (let i = 0; i < 2; i++) {
    await key("Tab", 9);
    reached.push(await run("document.activeElement.getAttribute('aria-label')"));
  }
  seen.reached = reached;
  if (token) {
    await choose("a", a);
    await until("!document.getElementById('token-section').hidden");
    await run(`document.getElementById('token').value = ${JSON.stringify(token)}; document.getElementById('token-form').requestSubmit()`);
  } else {
    await choose("a", a);
  }
  await until("document.querySelector('[data-name=a] .stage > svg rect') !== null");
  seen.one = await text("answer");
  await choose("b", b);
  await until("/same person|Different/.test(document.getElementById('answer').textContent)");
  seen.answer = await text("answer");
  seen.numbers = await text("numbers");
  seen.origin = await text("origin");
  seen.faces = await run("[...document.querySelectorAll('.stage > svg')].map((svg) => [svg.querySelectorAll('rect.box').length, svg.querySelectorAll('circle').length])");
  seen.names = await run("[...document.querySelectorAll('.told')].map((told) => told.textContent)");
  for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [390, "light"], [390, "dark"]]) {
    seen.fits.push(await look(`${scheme}-${width}`, width, scheme));
  }
  // The slider by keyboard: to its left end, where nobody is the same person.
  await run("document.getElementById('slider').focus()");
  await key("Home", 36);
  seen.none = await text("answer");
  await key("End", 35);
  seen.all = await text("answer");
  await run("document.getElementById('usual').click()");
  seen.again = await text("answer");
  await run("const metric = document.getElementById('metric'); metric.value = 'cosine'; metric.dispatchEvent(new Event('change'))");
  await until("/distance/.test(document.getElementById('numbers').textContent)");
  seen.cosine = await text("numbers");
  // What is no picture is told where it was put, and the other stays.
  writeFileSync(join(folder, "text.jpg"), "no picture");
  await choose("b", join(folder, "text.jpg"));
  await until("document.querySelector('[data-name=b] .told').classList.contains('wrong')");
  seen.wrong = await run("document.querySelector('[data-name=b] .told').textContent");
  await look("wrong-light-390", 390, "light");
  const { nodes } = await page("Accessibility.getFullAXTree");
  const named = nodes.filter((node) => ["button", "slider", "spinbutton", "combobox", "textbox"].includes(node.role?.value));
  seen.unnamed = named.filter((node) => !node.name?.value).map((node) => node.role.value);
  // What the browser refused or could not do: 401 and 415 are answers that were asked for.
  seen.complaints = events.filter((event) => ["Log.entryAdded", "Runtime.exceptionThrown"].includes(event.method))
    .map((event) => event.params.entry?.text || event.params.exceptionDetails?.exception?.description)
    .filter((complaint) => !/status of (401|415)/.test(complaint));
  seen.foreign = events.filter((event) => event.method === "Network.requestWillBeSent")
    .map((event) => event.params.request.url)
    .filter((asked) => !asked.startsWith(url) && !asked.startsWith("blob:") && !asked.startsWith("data:") && asked !== "about:blank");
  console.log(JSON.stringify(seen));
} finally {
  browser.kill("SIGKILL");
}
