// Weights from a URL, kept by the browser.

const NAME = "warpface";

// Pages without a secure context have no such storage.
const storage = async () => (globalThis.caches ? caches.open(NAME) : undefined);

// A file's bytes. With `cache` they are taken from the browser's storage where they are there, and kept there if they came
// whole; `onProgress` is told `{ url, loaded, total }`, in bytes.
export async function load(url, { cache = true, onProgress } = {}) {
  const kept = cache && (await storage());
  const known = kept && (await kept.match(url));
  if (known) return new Uint8Array(await known.arrayBuffer());
  const answer = await fetch(url).catch((error) => {
    throw new Error(`${url}: cannot be fetched: ${error.message}`);
  });
  if (!answer.ok) throw new Error(`${url}: the server says ${answer.status} ${answer.statusText}`.trimEnd());
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("text/html")) throw new Error(`${url}: is a web page, not a weights file`);
  const bytes = await body(answer, (loaded, total) => onProgress?.({ url, loaded, total }));
  // A full storage is no error: the page runs, and fetches again next time.
  if (kept) await kept.put(url, new Response(bytes)).catch(() => {});
  return bytes;
}

// Fetches it anew next time.
export async function forget(url) {
  await (await storage())?.delete(url);
}

async function body(answer, onProgress) {
  const { url, headers } = answer;
  // With a content encoding, which may be hidden from us, the header counts fewer bytes than come.
  const total = Number(headers.get("content-length")) || undefined;
  const parts = [];
  let loaded = 0;
  try {
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      loaded += value.length;
      onProgress(loaded, total);
    }
  } catch (error) {
    throw new Error(`${url}: broke off after ${loaded} bytes: ${error.message}`);
  }
  if (total !== undefined && loaded < total) throw new Error(`${url}: ${loaded} of ${total} bytes came`);
  const bytes = new Uint8Array(loaded);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}
