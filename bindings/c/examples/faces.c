/* Finds the face that each photograph is about, cuts it out, embeds it, and tells how far apart the first and each are:
 *
 *     cc faces.c $(pkg-config --cflags --libs warpface) -o faces
 *     ./faces weights weights/graph_final.pb a.jpg b.jpg
 *
 * A photograph that cannot be read, or has no face, is told, and the others go on.
 */
#include <stdio.h>
#include <stdlib.h>

#include "warpface.h"

/* Ends the program with the library's words. */
static void check(WarpfaceStatus status) {
    if (status != WARPFACE_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, warpface_message());
        exit(1);
    }
}

/* The crop of the face that a photograph is about, or NULL. */
static WarpfaceImage *crop_of(const WarpfaceDetector *detector, const WarpfaceEmbedder *embedder, const char *path) {
    WarpfaceImage *photo = NULL;
    if (warpface_image_read(path, &photo) != WARPFACE_STATUS_OK) {
        fprintf(stderr, "%s\n", warpface_message());
        return NULL;
    }
    WarpfaceFace *faces = NULL;
    size_t count = 0;
    check(warpface_detect(detector, photo, &faces, &count));
    size_t chosen = warpface_choose(faces, count, warpface_image_width(photo), warpface_image_height(photo));
    printf("%s: %zu faces\n", path, count);
    WarpfaceImage *crop = NULL;
    if (chosen < count) {
        const double *box = faces[chosen].bounds;
        printf("  %.17g %.17g %.17g %.17g score %.17g\n", box[0], box[1], box[2], box[3], faces[chosen].score);
        check(warpface_align(embedder, photo, &faces[chosen], &crop));
    }
    warpface_faces_free(faces, count);
    warpface_image_free(photo);
    return crop;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: faces WEIGHTS MODEL PHOTO..\n");
        return 2;
    }
    WarpfaceDevice *device = NULL;
    WarpfaceDetector *detector = NULL;
    WarpfaceEmbedder *embedder = NULL;
    check(warpface_device_open("cpu", 1, &device));
    check(warpface_detector_open(device, argv[1], NULL, &detector));
    check(warpface_embedder_open(device, argv[2], &embedder));
    /* The others keep it. */
    warpface_device_free(device);

    size_t dim = warpface_embedder_dim(embedder);
    float *first = NULL;
    for (int i = 3; i < argc; i++) {
        WarpfaceImage *crop = crop_of(detector, embedder, argv[i]);
        if (crop == NULL) {
            continue;
        }
        float *values = malloc(dim * sizeof *values);
        if (values == NULL) {
            return 1;
        }
        const WarpfaceImage *crops[1] = {crop};
        check(warpface_embed(embedder, crops, 1, values, dim));
        warpface_image_free(crop);
        if (first == NULL) {
            first = values;
            printf("  the first, %zu values\n", dim);
            continue;
        }
        float distance = 0;
        check(warpface_compare(first, values, dim, &distance));
        printf("  distance %.9g\n", (double)distance);
        free(values);
    }
    free(first);
    warpface_embedder_free(embedder);
    warpface_detector_free(detector);
    return 0;
}
