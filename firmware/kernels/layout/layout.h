/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the kernels that move elements and compute nothing.
 */
#ifndef TINYNAS_LAYOUT_H
#define TINYNAS_LAYOUT_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* CONCATENATION of inputs with equal quantization: `outer` times, `sizes[i]` bytes of each input. The inputs' addresses
 * are constants of the model. */
typedef struct {
    const int8_t *const *inputs;
    const int32_t *sizes;
    int32_t count;
    int32_t outer;
} tn_concatenation_params;

void tn_concatenation(const tn_concatenation_params *params, int8_t *output);

/* PAD of up to four dimensions. */
typedef struct {
    uint16_t input[4];
    uint16_t before[4];
    uint16_t after[4];
    int32_t value;
} tn_pad_params;

void tn_pad(const tn_pad_params *params, const int8_t *input, int8_t *output);

/* RESIZE_NEAREST_NEIGHBOR: output pixel (y, x) is input pixel (rows[y], columns[x]). */
typedef struct {
    const uint16_t *rows;
    const uint16_t *columns;
    uint16_t input_width;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t channels;
} tn_resize_nearest_neighbor_params;

void tn_resize_nearest_neighbor(const tn_resize_nearest_neighbor_params *params, const int8_t *input, int8_t *output);

/* TRANSPOSE of up to four dimensions: output extents, and the input's stride along each of them. */
typedef struct {
    int32_t extents[4];
    int32_t strides[4];
} tn_transpose_params;

void tn_transpose(const tn_transpose_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
