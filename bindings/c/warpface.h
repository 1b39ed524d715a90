/* warpface for C: find faces (MTCNN), and turn them into vectors (FaceNet).
 *
 * Made by cbindgen of bindings/c/src; a test compares, and `WARPFACE_HEADER=write cargo test -p warpface-c` writes it.
 *
 * Every function that may fail returns a WarpfaceStatus; what it makes is then in its last arguments. The words of the last
 * failure of the calling thread are in warpface_message(). Handles may be used by any number of threads at once, and are
 * freed once, by the function of their name, which takes NULL, too. A handle keeps what it needs alive: a device may be freed
 * before the detector on it. Nothing unwinds into the caller. A process that forks after it has opened a device must not use
 * it in the child. */

#ifndef WARPFACE_H
#define WARPFACE_H

#include <stddef.h>
#include <stdint.h>

// What became of a call.
typedef enum WarpfaceStatus {
  // It was done.
  WARPFACE_STATUS_OK = 0,
  // The system refused a file operation.
  WARPFACE_STATUS_FILE = 1,
  // A file's content makes no sense: a photograph or weights that are damaged, or of another kind.
  WARPFACE_STATUS_DATA = 2,
  // An option has a value that makes no sense.
  WARPFACE_STATUS_FIELD = 3,
  // The call makes no sense: NULL, shapes that do not fit, an argument out of range.
  WARPFACE_STATUS_USAGE = 4,
  // A device is absent, lacks what was asked for, or failed.
  WARPFACE_STATUS_DEVICE = 5,
  // There is too little memory.
  WARPFACE_STATUS_MEMORY = 6,
  // A fault of warpface's own. What was called can be called again.
  WARPFACE_STATUS_FAULT = 7,
} WarpfaceStatus;

// Finds faces in photographs.
typedef struct WarpfaceDetector WarpfaceDetector;

// A device that runs networks: the processor, or a GPU.
typedef struct WarpfaceDevice WarpfaceDevice;

// Turns crops of faces into vectors of length 1.
typedef struct WarpfaceEmbedder WarpfaceEmbedder;

// A graph of ops that is being built. Values are dense, row-major, NHWC; filters OHWI.
typedef struct WarpfaceGraph WarpfaceGraph;

// A picture: 8-bit RGB, row by row without gaps.
typedef struct WarpfaceImage WarpfaceImage;

// A graph at fixed sizes on a device, ready to run any number of times.
typedef struct WarpfaceProgram WarpfaceProgram;

// How to look for faces.
typedef struct WarpfaceDetectOptions {
  // Side of the smallest face looked for, in pixels, from 12; the original's is 20.
  size_t min_size;
  // Probabilities that P-Net, R-Net and O-Net must reach; the original's are 0.6, 0.7, 0.7.
  float thresholds[3];
  // Ratio of a pyramid level to the one before; the original's is 0.709.
  double factor;
} WarpfaceDetectOptions;

// A face in a photograph, in pixels; the first pixel is 1, as the original counts.
typedef struct WarpfaceFace {
  // Left, top, right, bottom. May reach over the photograph's border.
  double bounds[4];
  // Probability that this is a face.
  double score;
  // x and y of the left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer.
  double landmarks[5][2];
} WarpfaceFace;

// The extents of a value.
typedef struct WarpfaceShape {
  // One for each axis.
  const size_t *extents;
  // How many there are.
  size_t rank;
} WarpfaceShape;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Opens a detector with the weights of MTCNN in a folder. `options` NULL are the original's.
//
// # Safety
// `device` is a device, `folder` a C string, `options` NULL or options, `detector` a valid place.
enum WarpfaceStatus warpface_detector_open(const struct WarpfaceDevice *device,
                                           const char *folder,
                                           const struct WarpfaceDetectOptions *options,
                                           struct WarpfaceDetector **detector);

// Frees a detector.
//
// # Safety
// `detector` is NULL, or was opened and not freed.
void warpface_detector_free(struct WarpfaceDetector *detector);

// Finds the faces of a photograph: `count` of them at `faces`, which warpface_faces_free() frees.
//
// # Safety
// `detector` is a detector, `image` a picture; `faces` and `count` are valid places.
enum WarpfaceStatus warpface_detect(const struct WarpfaceDetector *detector,
                                    const struct WarpfaceImage *image,
                                    struct WarpfaceFace **faces,
                                    size_t *count);

// Frees what warpface_detect() found.
//
// # Safety
// `faces` is NULL, or what it found, with their `count`, and was not freed.
void warpface_faces_free(struct WarpfaceFace *faces, size_t count);

// The face that a photograph of this size is about, the large and central one: its place among `faces`; `count` where there is
// none.
//
// # Safety
// `faces` has `count` faces.
size_t warpface_choose(const struct WarpfaceFace *faces,
                       size_t count,
                       size_t width,
                       size_t height);

// Opens a device: "auto", "cpu", "wgpu", "cuda" or "cuda:1". `threads` is for the processor: 0 is one for each core at hand.
// It is freed by warpface_device_free().
//
// # Safety
// `name` is a C string, and `device` a valid place.
enum WarpfaceStatus warpface_device_open(const char *name,
                                         size_t threads,
                                         struct WarpfaceDevice **device);

// Frees a device.
//
// # Safety
// `device` is NULL, or was opened and not freed.
void warpface_device_free(struct WarpfaceDevice *device);

// Writes what the device is in words, such as "cpu: AMD EPYC (AVX-512)", as far as `size` bytes have room, with a zero behind.
//
// # Safety
// `device` is a device, and `words` has room for `size` bytes.
enum WarpfaceStatus warpface_device_words(const struct WarpfaceDevice *device,
                                          char *words,
                                          size_t size);

// Opens an embedding network's file, of any format that warpface reads.
//
// # Safety
// `device` is a device, `model` a C string, `embedder` a valid place.
enum WarpfaceStatus warpface_embedder_open(const struct WarpfaceDevice *device,
                                           const char *model,
                                           struct WarpfaceEmbedder **embedder);

// Frees an embedder.
//
// # Safety
// `embedder` is NULL, or was opened and not freed.
void warpface_embedder_free(struct WarpfaceEmbedder *embedder);

// Values of an embedding; 0 of NULL.
//
// # Safety
// `embedder` is NULL or an embedder.
size_t warpface_embedder_dim(const struct WarpfaceEmbedder *embedder);

// Side of the crops, in pixels; 0 of NULL.
//
// # Safety
// `embedder` is NULL or an embedder.
size_t warpface_embedder_size(const struct WarpfaceEmbedder *embedder);

// Cuts a face out as the network was trained. `crop` is NULL where the face's box lies beside the photograph.
//
// # Safety
// `embedder` is an embedder, `image` a picture, `face` a face, `crop` a valid place.
enum WarpfaceStatus warpface_align(const struct WarpfaceEmbedder *embedder,
                                   const struct WarpfaceImage *image,
                                   const struct WarpfaceFace *face,
                                   struct WarpfaceImage **crop);

// Embeds `count` crops of the embedder's size: `values` takes their embeddings one behind the other, and has room for
// `room` values, as many as they have at least. A crop's embedding does not depend on the others.
//
// # Safety
// `embedder` is an embedder, `crops` has `count` pictures, `values` room for `room` values.
enum WarpfaceStatus warpface_embed(const struct WarpfaceEmbedder *embedder,
                                   const struct WarpfaceImage *const *crops,
                                   size_t count,
                                   float *values,
                                   size_t room);

// Squared Euclidean distance of two embeddings, between 0 and 4: the smaller, the likelier are both of one person.
//
// # Safety
// `a` and `b` have `dim` values, and `distance` is a valid place.
enum WarpfaceStatus warpface_compare(const float *a, const float *b, size_t dim, float *distance);

// Begins a graph.
//
// # Safety
// `graph` is a valid place.
enum WarpfaceStatus warpface_graph_new(struct WarpfaceGraph **graph);

// Frees a graph. Programs of it go on.
//
// # Safety
// `graph` is NULL, or was made and not freed.
void warpface_graph_free(struct WarpfaceGraph *graph);

// Adds an input; `node` is its number.
//
// # Safety
// `graph` is a graph, `name` a C string, `node` a valid place.
enum WarpfaceStatus warpface_graph_input(const struct WarpfaceGraph *graph, const char *name, size_t *node);

// Adds weights, whose values are copied; `node` is their number.
//
// # Safety
// `graph` is a graph, `name` a C string, `values` has as many values as `shape` says, `node` is a valid place.
enum WarpfaceStatus warpface_graph_weights(const struct WarpfaceGraph *graph,
                                           const char *name,
                                           struct WarpfaceShape shape,
                                           const float *values,
                                           size_t *node);

// Adds an op by its stem, such as "max_pool2d", with its attributes as a JSON object, such as
// {"kernel": [2, 2], "stride": [2, 2], "padding": "valid"}; `node` is its number. The ops and their attributes are those of
// the library's module `ops`.
//
// # Safety
// `graph` is a graph; `name`, `op` and `attributes` are C strings; `inputs` has `count` numbers; `node` is a valid place.
enum WarpfaceStatus warpface_graph_op(const struct WarpfaceGraph *graph,
                                      const char *name,
                                      const char *op,
                                      const char *attributes,
                                      const size_t *inputs,
                                      size_t count,
                                      size_t *node);

// Makes a node's value an output: the first, the second, and so on.
//
// # Safety
// `graph` is a graph.
enum WarpfaceStatus warpface_graph_output(const struct WarpfaceGraph *graph, size_t node);

// Loads a graph into a device, for inputs of these shapes, in f32.
//
// # Safety
// `device` is a device, `graph` a graph, `inputs` has `count` shapes, `program` is a valid place.
enum WarpfaceStatus warpface_program_open(const struct WarpfaceDevice *device,
                                          const struct WarpfaceGraph *graph,
                                          const struct WarpfaceShape *inputs,
                                          size_t count,
                                          struct WarpfaceProgram **program);

// Frees a program.
//
// # Safety
// `program` is NULL, or was opened and not freed.
void warpface_program_free(struct WarpfaceProgram *program);

// Values of an output; 0 where there is none of this number.
//
// # Safety
// `program` is NULL or a program.
size_t warpface_program_values(const struct WarpfaceProgram *program, size_t output);

// Runs a program: as many inputs and outputs as the graph has, each with all its values.
//
// # Safety
// `program` is a program; each of `inputs` and of `outputs` has as many values as the program's.
enum WarpfaceStatus warpface_program_run(const struct WarpfaceProgram *program,
                                         const float *const *inputs,
                                         float *const *outputs);

// Reads a photograph from a file, of any format that warpface knows, upright.
//
// # Safety
// `path` is a C string, and `image` a valid place.
enum WarpfaceStatus warpface_image_read(const char *path, struct WarpfaceImage **image);

// Reads a photograph from the bytes of a file.
//
// # Safety
// `bytes` has `size` bytes, and `image` is a valid place.
enum WarpfaceStatus warpface_image_decode(const uint8_t *bytes, size_t size, struct WarpfaceImage **image);

// Makes a picture of pixels, which are copied: RGB, a row every `stride` bytes, at least three times `width`.
//
// # Safety
// `pixels` has `height` rows of `stride` bytes (of the last one three times `width`), and `image` is a valid place.
enum WarpfaceStatus warpface_image_copy(const uint8_t *pixels,
                                        size_t width,
                                        size_t height,
                                        size_t stride,
                                        struct WarpfaceImage **image);

// Columns of a picture; 0 of NULL.
//
// # Safety
// `image` is NULL or a picture.
size_t warpface_image_width(const struct WarpfaceImage *image);

// Rows of a picture; 0 of NULL.
//
// # Safety
// `image` is NULL or a picture.
size_t warpface_image_height(const struct WarpfaceImage *image);

// A picture's pixels, which live as long as it: height x width x 3 bytes; NULL of NULL.
//
// # Safety
// `image` is NULL or a picture.
const uint8_t *warpface_image_pixels(const struct WarpfaceImage *image);

// Frees a picture.
//
// # Safety
// `image` is NULL, or was made and not freed.
void warpface_image_free(struct WarpfaceImage *image);

// The words of the last failure of the calling thread, in UTF-8; empty where there was none. They stay until this thread's
// next failure.
const char *warpface_message(void);

// The version of the library, such as "0.1.0".
const char *warpface_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WARPFACE_H */
