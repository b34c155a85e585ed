/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the fully connected layers.
 */
#ifndef TINYNAS_FULLY_CONNECTED_H
#define TINYNAS_FULLY_CONNECTED_H

#include "../kernel.h"
#include "../conv_2d/conv_2d.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fully connected layer. Weights [outputs][inputs]. Like LiteRT's, and unlike all other kernels, it rounds once.
 * `bias` has the input's zero point folded in: bias[o] - zero_point * sum(weights[o]). */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier; /* one, or one per output */
    const int8_t *shift;
    int32_t rows;
    int32_t inputs;
    int32_t outputs;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t per_channel; /* 1: one multiplier per output; 0: one for all */
} tn_fully_connected_params;

void tn_fully_connected(const tn_fully_connected_params *params, const int8_t *input, int8_t *output);
/* The same for inputs in fours. Weights [outputs / 4][inputs / 4][4][4] in whole words: four outputs' weights of four
 * inputs lie together; the outputs that four leave over are the last [inputs / 4][outputs % 4][4]. */
void tn_fully_connected_in_fours(const tn_fully_connected_params *params, const int8_t *input, int8_t *output);

/* A fully connected layer in the form for Armv6-M: `pixels` are its rows. `constants` holds for each four outputs, zeros
 * where some are missing: their biases, with the input's zero point folded in; for each input, and zeros up to a
 * multiple of eight of them, a word with their weights in bytes, 128 added to each; and five words each (affine.h), or
 * multiplier, shift, 0, 0, 0 where the layer is general. `scratch` holds a word for each input, up to that multiple. */
void tn_fully_connected_in_words(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output,
                                 int8_t *scratch);

/* A fully connected layer of which a call gets the next `inputs` of its inputs: the first one `begins` the sums, and the
 * last one `ends` them and writes the output. `scratch` outlives the calls: a word for how many inputs have come, and
 * four sums for each four outputs, or for each output where there are fewer. */
typedef struct {
    tn_fully_connected_params layer; /* `rows` is 1 */
    int32_t inputs;
    uint8_t begins;
    uint8_t ends;
} tn_fully_connected_rows_params;

void tn_fully_connected_rows(const tn_fully_connected_rows_params *params, const int8_t *input, int8_t *output,
                             int8_t *scratch);

#ifdef __cplusplus
}
#endif
#endif
