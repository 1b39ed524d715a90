/* Calls that make no sense: each is an error that says why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warpface.h"

static void refused(int line, WarpfaceStatus status, WarpfaceStatus expected, const char *words) {
    if (status != expected || strstr(warpface_message(), words) == NULL) {
        fprintf(stderr, "line %d: %d, %s\n", line, (int)status, warpface_message());
        exit(1);
    }
}

#define REFUSED(call, expected, words) refused(__LINE__, call, expected, words)

int main(void) {
    WarpfaceDevice *device = NULL;
    WarpfaceDetector *detector = NULL;
    WarpfaceEmbedder *embedder = NULL;
    WarpfaceImage *image = NULL;
    WarpfaceGraph *graph = NULL;
    WarpfaceProgram *program = NULL;
    size_t node = 0, extents[2] = {2, 0};
    WarpfaceShape none = {extents, 2}, one = {extents, 1};
    unsigned char pixels[12] = {0};
    float value = 0;

    REFUSED(warpface_device_open(NULL, 1, &device), WARPFACE_STATUS_USAGE, "name is NULL");
    REFUSED(warpface_device_open("cpu", 1, NULL), WARPFACE_STATUS_USAGE, "device is NULL");
    REFUSED(warpface_device_open("tpu", 1, &device), WARPFACE_STATUS_USAGE, "tpu");
    REFUSED(warpface_device_open("cuda:0,1", 1, &device), WARPFACE_STATUS_USAGE, "one is opened");
    REFUSED(warpface_device_open("\xff", 1, &device), WARPFACE_STATUS_USAGE, "UTF-8");
    if (device != NULL || warpface_device_open("cpu", 1, &device) != WARPFACE_STATUS_OK) {
        return 1;
    }
    char words[8];
    if (warpface_device_words(device, words, sizeof words) != WARPFACE_STATUS_OK || strncmp(words, "cpu", 3) != 0) {
        return 1;
    }
    WarpfaceDetectOptions options = {3, {0.6f, 0.7f, 0.7f}, 0.709};
    REFUSED(warpface_detector_open(device, "nowhere", NULL, &detector), WARPFACE_STATUS_DATA, "nowhere");
    (void)options;
    REFUSED(warpface_embedder_open(device, "nothing.pb", &embedder), WARPFACE_STATUS_FILE, "nothing.pb");
    REFUSED(warpface_image_read("nothing.jpg", &image), WARPFACE_STATUS_FILE, "nothing.jpg");
    REFUSED(warpface_image_decode(pixels, 12, &image), WARPFACE_STATUS_DATA, "not an image");
    REFUSED(warpface_image_copy(pixels, 2, 2, 5, &image), WARPFACE_STATUS_USAGE, "2 x 2");
    REFUSED(warpface_image_copy(pixels, (size_t)-1, 2, (size_t)-1, &image), WARPFACE_STATUS_USAGE, "no picture");
    REFUSED(warpface_image_copy(NULL, 2, 2, 6, &image), WARPFACE_STATUS_USAGE, "pixels is NULL");
    REFUSED(warpface_detect(NULL, NULL, NULL, NULL), WARPFACE_STATUS_USAGE, "detector is NULL");
    REFUSED(warpface_embed(NULL, NULL, 1, &value, 1), WARPFACE_STATUS_USAGE, "embedder is NULL");
    REFUSED(warpface_compare(&value, &value, 0, &value), WARPFACE_STATUS_USAGE, "no values");
    if (warpface_image_copy(pixels, 2, 2, 6, &image) != WARPFACE_STATUS_OK || warpface_image_height(image) != 2) {
        return 1;
    }
    if (warpface_graph_new(&graph) != WARPFACE_STATUS_OK) {
        return 1;
    }
    REFUSED(warpface_graph_op(graph, "x", "no_op", "{}", NULL, 0, &node), WARPFACE_STATUS_USAGE, "no_op");
    REFUSED(warpface_graph_op(graph, "x", "flatten", "{", NULL, 0, &node), WARPFACE_STATUS_USAGE, "flatten");
    REFUSED(warpface_graph_output(graph, 7), WARPFACE_STATUS_USAGE, "no node 7");
    REFUSED(warpface_graph_weights(graph, "w", none, &value, &node), WARPFACE_STATUS_USAGE, "no shape");
    if (warpface_graph_input(graph, "x", &node) != WARPFACE_STATUS_OK) {
        return 1;
    }
    size_t conv[3] = {node, node, node};
    const char *attributes = "{\"stride\": [1, 1], \"padding\": \"same\", \"bias\": true, \"activation\": \"none\"}";
    if (warpface_graph_op(graph, "odd", "conv2d", attributes, conv, 3, &node) != WARPFACE_STATUS_OK) {
        fprintf(stderr, "%s\n", warpface_message());
        return 1;
    }
    REFUSED(warpface_program_open(device, graph, &one, 1, &program), WARPFACE_STATUS_USAGE, "odd");
    REFUSED(warpface_program_open(device, graph, &one, 0, &program), WARPFACE_STATUS_USAGE, "");

    warpface_device_free(NULL);
    warpface_detector_free(detector);
    warpface_embedder_free(embedder);
    warpface_program_free(program);
    warpface_faces_free(NULL, 0);
    warpface_graph_free(graph);
    warpface_image_free(image);
    warpface_device_free(device);
    return program != NULL;
}
