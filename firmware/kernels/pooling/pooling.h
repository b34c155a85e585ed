/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the pooling kernels.
 */
#ifndef TINYNAS_POOLING_H
#define TINYNAS_POOLING_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pooling; padding takes no part in it. The output has the input's quantization. */
typedef struct {
    uint16_t input_height;
    uint16_t input_width;
    uint16_t channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t filter_height;
    uint16_t filter_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t padding_top;
    uint16_t padding_left;
    int8_t activation_min;
    int8_t activation_max;
} tn_pool_2d_params;

void tn_average_pool_2d(const tn_pool_2d_params *params, const int8_t *input, int8_t *output);
void tn_max_pool_2d(const tn_pool_2d_params *params, const int8_t *input, int8_t *output);

/* Average pooling of a whole image, of which a call gets the next pixels: the first call `begins` the sums, and the last
 * one `ends` them and writes the output. `scratch` outlives the calls: a sum for each channel. */
typedef struct {
    uint32_t pixels; /* of a call */
    uint32_t pixels_in_all;
    uint16_t channels;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t begins;
    uint8_t ends;
} tn_pool_2d_rows_params;

void tn_average_pool_2d_rows(const tn_pool_2d_rows_params *params, const int8_t *input, int8_t *output,
                             int8_t *scratch);

#ifdef __cplusplus
}
#endif
#endif
