/* SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"
#include "tinynas/clamp_outputs.h"
#include "tinynas/dsp.h"

#if TN_DSP

enum { HALF = 1 << 30, HEADROOM = TN_ADD_LEFT_SHIFT };

/* The operand with the smaller scale. */
typedef struct {
    int32_t multiplier;
    int32_t shift;
    int32_t zero_point;
} smaller_operand;

/* The same numbers as tn_add_element in ten instructions, without loads and stores. The operand with the larger scale has a
 * multiplier of exactly one half; the other's is smaller, a plain right shift, or one half, too.
 *
 * The larger one's share is (x - zero_point) << 19, exactly. The smaller one's is SMMULR(-2 * (x - zero_point) << 20,
 * -multiplier): negated twice, so that one half, as -2^31, needs no other code with a right shift of one: its product is
 * even, and halving it exact. Its second rounding divides by 2^right with halves away from zero: 2^(right - 1) - 1 is added,
 * and one more where the negated operand is negative, that is where the product is positive. Where x equals its zero
 * point, nothing or one less than a half is divided: zero in both cases. The output is requantized as in
 * tn_requantize_doubled. Choices are made without branches: counts follow from the number of elements alone. */
TN_KERNEL void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const tn_add_quantization q = params->quantization;
    int32_t count = params->count;
    const int32_t b_is_larger = (q.b_multiplier == HALF) & (q.b_shift == 0);
    const int32_t a_is_larger = (q.a_multiplier == HALF) & (q.a_shift == 0);
    const smaller_operand smaller = {b_is_larger ? q.a_multiplier : q.b_multiplier, b_is_larger ? q.a_shift : q.b_shift,
                                     b_is_larger ? q.a_zero_point : q.b_zero_point};
    const int32_t is_half = (smaller.multiplier == HALF) & (smaller.shift == 0);
    const int32_t is_shift = (smaller.shift < 0) & (smaller.shift > -31);
    if ((a_is_larger | b_is_larger) & (is_half | is_shift) & (q.output_shift < 0) &
        (q.output_shift >= -TN_MOST_RIGHT_SHIFT)) {
        const int8_t *larger_x = b_is_larger ? b : a;
        const int8_t *smaller_x = b_is_larger ? a : b;
        const int32_t right = is_half ? 1 : -smaller.shift;
        const int32_t multiplier = is_half ? INT32_MIN : -smaller.multiplier;
        const int32_t offset = smaller.zero_point * (1 << (HEADROOM + 1));
        const int32_t rounding = (1 << (right - 1)) - 1;
        const int32_t larger_offset = -(b_is_larger ? q.b_zero_point : q.a_zero_point) * (1 << HEADROOM);
        const int32_t output_half = -q.output_shift - 1;
        const int32_t output_rounding = (2 * q.output_zero_point + 1) * (1 << output_half);
        int8_t *y = output;
        for (int32_t i = count; i > 0; i--) {
            int32_t sum;
            int32_t addend;
            __asm__("sub    %0, %3, %2, lsl #21\n\t"
                    "sub    %1, %5, %0, asr #31\n\t"
                    "smmlar %0, %0, %4, %1\n\t"
                    "asr    %0, %0, %6\n\t"
                    "add    %0, %0, %7, lsl #19\n\t"
                    "add    %0, %8, %0, lsl #1"
                    : "=&r"(sum), "=&r"(addend)
                    : "r"((int32_t)*smaller_x++), "r"(offset), "r"(multiplier), "r"(rounding), "r"(right),
                      "r"((int32_t)*larger_x++), "r"(larger_offset)
                    : "cc");
            *y++ = (int8_t)tn_requantize_doubled(sum, q.output_multiplier, output_rounding, output_half);
        }
        tn_clamp_outputs(output, count, q.activation_min, q.activation_max);
        return;
    }
    for (; count > 0; count--) {
        *output++ = tn_add_element(&q, *a++, *b++);
    }
}

#else

TN_KERNEL void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    /* A copy in registers: the compiler must assume that writing the output changes what pointers lead to. */
    const tn_add_quantization q = params->quantization;
    for (int32_t i = params->count; i > 0; i--) {
        *output++ = tn_add_element(&q, *a++, *b++);
    }
}

#endif
