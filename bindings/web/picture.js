// Whatever holds a picture, as RGBA bytes.

// As the library decodes: no colour management, colours as they are under transparency, turned as the file says.
const DECODE = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

// `{ data, width, height }` of a Blob or File, an image or canvas element, an ImageBitmap, ImageData, or such an object
// itself, whose `data` is RGB or RGBA.
export async function pixels(picture) {
  if (picture?.data && picture.width > 0 && picture.height > 0) return plain(picture);
  const is = (name) => globalThis[name] && picture instanceof globalThis[name];
  if (is("HTMLImageElement")) await picture.decode();
  if (!["Blob", "HTMLImageElement", "HTMLCanvasElement", "OffscreenCanvas", "ImageBitmap", "HTMLVideoElement"].some(is)) {
    throw new TypeError("a picture is a Blob, an image, a canvas, a video, an ImageBitmap, ImageData, or { data, width, height }");
  }
  const bitmap = is("ImageBitmap") ? picture : await createImageBitmap(picture, DECODE).catch((error) => {
    throw new Error(`${picture.name ?? "a picture"}: cannot be decoded: ${error.message}`);
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  if (bitmap !== picture) bitmap.close();
  return plain(context.getImageData(0, 0, width, height));
}

function plain({ data, width, height }) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  if (bytes.length === width * height * 4) return { data: bytes, width, height };
  if (bytes.length !== width * height * 3) {
    throw new TypeError(`a picture of ${width} x ${height} has ${bytes.length} bytes, neither three nor four for each pixel`);
  }
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0, j = 0; i < bytes.length; i += 3, j += 4) rgba.set(bytes.subarray(i, i + 3), j);
  return { data: rgba, width, height };
}
