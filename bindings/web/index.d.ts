/** What holds a picture. `data` is RGB or RGBA, one byte a channel. */
export type Picture =
  | Blob | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | HTMLVideoElement | ImageBitmap | ImageData
  | { data: Uint8Array | Uint8ClampedArray; width: number; height: number };

/** A face, in pixels of its picture. */
export interface Face {
  /** Left, top, right, bottom; may reach over the border. */
  box: [number, number, number, number];
  /** O-Net's probability that this is a face, 0 to 1. */
  score: number;
  /** `[x, y]` of the left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer. */
  landmarks: [[number, number], [number, number], [number, number], [number, number], [number, number]];
}

export interface Options {
  /**
   * MTCNN's weights: the URL of a folder with det1.npy, det2.npy and det3.npy, of one file that holds all three
   * networks, or of three files.
   */
  detector?: string | [string, string, string];
  /** The embedding network's URL: what `warpface convert --precision f16 -o facenet.safetensors` wrote. */
  embedder?: string;
  /** Where the WebAssembly module lies, if not beside the JavaScript. */
  wasm?: string | URL | Response | BufferSource | WebAssembly.Module;
  /** Keep the weights in the browser's storage, by their URLs; by default yes. A changed file wants another URL. */
  cache?: boolean;
  /** Told while weights come, in bytes. */
  onProgress?: (progress: { url: string; loaded: number; total?: number }) => void;
  /** Side of the smallest face looked for, in pixels; from 12, by default 20. */
  minSize?: number;
  /** Probabilities that P-Net, R-Net and O-Net must reach; by default 0.6, 0.7, 0.7. */
  thresholds?: [number, number, number];
  /** Ratio of a pyramid level to the one before; by default 0.709. */
  factor?: number;
}

export interface Comparison {
  /** The large and central face of each picture; undefined where none was found. */
  faces: [Face | undefined, Face | undefined];
  /** All faces that were found. */
  found: [Face[], Face[]];
  /** Squared Euclidean, 0 to 4, or the angle over pi; undefined where a face is missing. */
  distance?: number;
  /** Nearer than this is the same person. */
  threshold: number;
  /** Whether both are one person; undefined where a face is missing. */
  same?: boolean;
}

/** A detector and an embedder on the browser's GPU. What is wrong with a file or a picture is an Error that names it. */
export class Warpface {
  /** Opens the GPU and fetches weights: of a detector, an embedder, or both. */
  static load(options: Options): Promise<Warpface>;
  /** The GPU, as the browser tells of it. */
  readonly device: string;
  /** Side of the embedder's crops, in pixels. */
  readonly size: number;
  /** The faces of a picture. */
  detect(picture: Picture): Promise<Face[]>;
  /** The faces of several; a picture's do not depend on the others. */
  detectAll(pictures: Picture[]): Promise<Face[][]>;
  /** Unit vectors of faces in a picture, cut out as the network was trained on; without faces the picture is such a crop. */
  embed(picture: Picture, faces?: Face | Face[]): Promise<Float32Array[]>;
  /** Whether two pictures show one person: by their large and central faces. */
  compare(a: Picture, b: Picture, options?: { metric?: Metric; threshold?: number }): Promise<Comparison>;
}

/** How far apart embeddings are: squared Euclidean, 0 to 4, or the angle over pi, 0 to 1. */
export type Metric = "euclidean" | "cosine";

/** The distance of two embeddings. */
export function distance(a: Float32Array, b: Float32Array, metric?: Metric): number;

/** The FaceNet paper's threshold for LFW, 1.242, or the same angle: unproved for a model of your own. */
export function paperThreshold(metric?: Metric): number;

/** Which face a picture is about, large and central: its place in the list. */
export function choose(faces: Face[], width: number, height: number): number | undefined;
