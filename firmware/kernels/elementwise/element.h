/* SPDX-License-Identifier: Apache-2.0
 *
 * One element of ADD and of MUL, shared by the kernels for equal shapes and those that broadcast.
 */
#ifndef TINYNAS_ELEMENT_H
#define TINYNAS_ELEMENT_H

#include "../arithmetic/fixed_point.h"
#include "elementwise.h"

enum { TN_ADD_LEFT_SHIFT = 20 }; /* headroom that TFLite gives both operands of an int8 ADD */

static inline int8_t tn_add_element(const tn_add_quantization *q, int32_t a, int32_t b)
{
    const int32_t shifted_a = (a - q->a_zero_point) * (1 << TN_ADD_LEFT_SHIFT);
    const int32_t shifted_b = (b - q->b_zero_point) * (1 << TN_ADD_LEFT_SHIFT);
    const int32_t sum = tn_multiply_by_quantized_multiplier(shifted_a, q->a_multiplier, q->a_shift) +
                        tn_multiply_by_quantized_multiplier(shifted_b, q->b_multiplier, q->b_shift);
    const int32_t scaled = tn_multiply_by_quantized_multiplier(sum, q->output_multiplier, q->output_shift);
    return tn_clamp(scaled + q->output_zero_point, q->activation_min, q->activation_max);
}

static inline int8_t tn_mul_element(const tn_mul_quantization *q, int32_t a, int32_t b)
{
    const int32_t product = (a - q->a_zero_point) * (b - q->b_zero_point);
    const int32_t scaled = tn_multiply_by_quantized_multiplier(product, q->multiplier, q->shift);
    return tn_clamp(scaled + q->output_zero_point, q->activation_min, q->activation_max);
}

#endif
