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

#ifdef __cplusplus
}
#endif
#endif
