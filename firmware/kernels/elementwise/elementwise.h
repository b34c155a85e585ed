/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the kernels that compute element by element.
 */
#ifndef TINYNAS_ELEMENTWISE_H
#define TINYNAS_ELEMENTWISE_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Element i of a broadcast result reads operand elements at sum(index[d] * strides[d]); 0 repeats a dimension. */
typedef struct {
    int32_t extents[4];
    int32_t a_strides[4];
    int32_t b_strides[4];
} tn_broadcast;

/* ADD. The output may be one of the inputs (in place) if that input is not repeated. */
typedef struct {
    int32_t a_multiplier;
    int32_t b_multiplier;
    int32_t output_multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t output_zero_point;
    int8_t a_shift;
    int8_t b_shift;
    int8_t output_shift;
    int8_t activation_min;
    int8_t activation_max;
} tn_add_quantization;

/* out = saturate((a * alpha + b * beta + gamma) >> right), where that equals TFLite's roundings for every pair of
 * operands, and right is 16 to 23. The factors are 0 to 2^23 - 1, and no sum leaves 32 bits, with (128 << right) added
 * or not. right = 0: there is no such plane, or none that the code generator found. */
typedef struct {
    int32_t alpha;
    int32_t beta;
    int32_t gamma;
    int32_t right;
} tn_add_plane;

typedef struct {
    tn_add_quantization quantization;
    tn_add_plane plane;
    int32_t count;
} tn_add_params;

typedef struct {
    tn_add_quantization quantization;
    tn_broadcast broadcast;
} tn_add_broadcast_params;

void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void tn_add_broadcast(const tn_add_broadcast_params *params, const int8_t *a, const int8_t *b, int8_t *output);

/* MUL. In place as ADD. */
typedef struct {
    int32_t multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t output_zero_point;
    int8_t shift;
    int8_t activation_min;
    int8_t activation_max;
} tn_mul_quantization;

typedef struct {
    tn_mul_quantization quantization;
    int32_t count;
} tn_mul_params;

typedef struct {
    tn_mul_quantization quantization;
    tn_broadcast broadcast;
} tn_mul_broadcast_params;

void tn_mul(const tn_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void tn_mul_broadcast(const tn_mul_broadcast_params *params, const int8_t *a, const int8_t *b, int8_t *output);

/* QUANTIZE from int8 to int8. In place. */
typedef struct {
    int32_t count;
    int32_t multiplier;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t shift;
} tn_requantize_params;

void tn_requantize(const tn_requantize_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
