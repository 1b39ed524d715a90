/* A graph of three ops, run by two threads at once: convolution, maxima, unit vectors. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "warpface.h"

static void check(WarpfaceStatus status) {
    if (status != WARPFACE_STATUS_OK) {
        fprintf(stderr, "error %d: %s\n", (int)status, warpface_message());
        exit(1);
    }
}

static size_t op(WarpfaceGraph *graph, const char *stem, const char *attributes, const size_t *inputs, size_t count) {
    size_t node = 0;
    check(warpface_graph_op(graph, stem, stem, attributes, inputs, count, &node));
    return node;
}

static WarpfaceProgram *open_program(const WarpfaceDevice *device) {
    WarpfaceGraph *graph = NULL;
    check(warpface_graph_new(&graph));
    float filters[4 * 3 * 3 * 2], bias[4] = {0.1f, 0.1f, 0.1f, 0.1f};
    for (int i = 0; i < 4 * 3 * 3 * 2; i++) {
        filters[i] = (float)(i % 7) / 7.0f - 0.4f;
    }
    size_t w[] = {4, 3, 3, 2}, b[] = {4}, x[] = {1, 6, 6, 2}, of_conv[3], node;
    WarpfaceShape w_shape = {w, 4}, b_shape = {b, 1}, x_shape = {x, 4};
    check(warpface_graph_input(graph, "x", &of_conv[0]));
    check(warpface_graph_weights(graph, "w", w_shape, filters, &of_conv[1]));
    check(warpface_graph_weights(graph, "b", b_shape, bias, &of_conv[2]));
    node = op(graph, "conv2d", "{\"stride\": [1, 1], \"padding\": \"same\", \"bias\": true, \"activation\": \"relu\"}", of_conv, 3);
    node = op(graph, "max_pool2d", "{\"kernel\": [2, 2], \"stride\": [2, 2], \"padding\": \"valid\"}", &node, 1);
    node = op(graph, "l2_normalize", "{\"epsilon\": 1e-10}", &node, 1);
    check(warpface_graph_output(graph, node));
    WarpfaceProgram *program = NULL;
    check(warpface_program_open(device, graph, &x_shape, 1, &program));
    warpface_graph_free(graph);
    return program;
}

static void *run(void *argument) {
    const WarpfaceProgram *program = argument;
    size_t values = warpface_program_values(program, 0);
    float input[6 * 6 * 2], *output = malloc(values * sizeof *output), *outputs[1] = {output};
    const float *inputs[1] = {input};
    for (int i = 0; i < 6 * 6 * 2; i++) {
        input[i] = sinf((float)i);
    }
    for (int round = 0; round < 50; round++) {
        check(warpface_program_run(program, inputs, outputs));
    }
    /* The words of one thread's failure are not another's. */
    if (warpface_program_run(NULL, inputs, outputs) != WARPFACE_STATUS_USAGE || warpface_message()[0] == 0) {
        exit(1);
    }
    return output;
}

int main(void) {
    WarpfaceDevice *device = NULL;
    check(warpface_device_open("cpu", 1, &device));
    WarpfaceProgram *program = open_program(device);
    warpface_device_free(device);
    pthread_t threads[2];
    void *results[2];
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, run, program) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &results[i]);
    }
    float *first = results[0], *second = results[1];
    for (size_t i = 0; i < warpface_program_values(program, 0); i++) {
        if (first[i] != second[i]) {
            return 1;
        }
        printf("%.9g\n", (double)first[i]);
    }
    free(first);
    free(second);
    warpface_program_free(program);
    return 0;
}
