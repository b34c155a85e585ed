/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the kernels that reduce dimensions.
 */
#ifndef TINYNAS_REDUCTION_H
#define TINYNAS_REDUCTION_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MEAN over the middle dimension of [outer][reduced][inner]; 1 / reduced is part of the multiplier. */
typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t multiplier;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t shift;
} tn_mean_params;

void tn_mean(const tn_mean_params *params, const int8_t *input, int8_t *output);

/* MEAN over all pixels of an image, of which a call gets the next ones: the first call `begins` the sums, and the last
 * one `ends` them and writes the output. `scratch` outlives the calls: a sum for each channel, which begins with
 * `start`, the input's zero point taken from it for all pixels. */
typedef struct {
    int32_t pixels; /* of a call */
    int32_t channels;
    int32_t start;
    int32_t multiplier;
    int16_t output_zero_point;
    int8_t shift;
    uint8_t begins;
    uint8_t ends;
} tn_mean_rows_params;

void tn_mean_rows(const tn_mean_rows_params *params, const int8_t *input, int8_t *output, int8_t *scratch);

#ifdef __cplusplus
}
#endif
#endif
