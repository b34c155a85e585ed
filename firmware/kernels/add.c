/* SPDX-License-Identifier: Apache-2.0 */
#include "elementwise.h"
#include "tinynas/clamp_outputs.h"
#include "tinynas/dsp.h"

#if TN_DSP

enum { HALF = 1 << 30, HEADROOM = TN_ADD_LEFT_SHIFT };

/* The operands in the other order: a sum does not mind. */
static inline tn_add_quantization swapped(tn_add_quantization q)
{
    tn_add_quantization other = q;
    other.a_multiplier = q.b_multiplier;
    other.b_multiplier = q.a_multiplier;
    other.a_zero_point = q.b_zero_point;
    other.b_zero_point = q.a_zero_point;
    other.a_shift = q.b_shift;
    other.b_shift = q.a_shift;
    return other;
}

/* Whether `a` has the larger scale, whose multiplier is exactly one half, and the others are plain right shifts. */
static inline int32_t is_plain(const tn_add_quantization *q)
{
    return q->a_multiplier == HALF && q->a_shift == 0 && q->b_shift <= 0 && q->b_shift > -31 &&
           (q->b_shift < 0 || q->b_multiplier == HALF) && q->output_shift < 0 && q->output_shift >= -TN_MOST_RIGHT_SHIFT;
}

/* The same numbers as tn_add_element in nine instructions, without loads and stores.
 *
 * a's share is (a - zero_point) << 19, exactly. b's is SMMULR(-2 * (b - zero_point) << 20, -multiplier): negated twice, so
 * that one half, as -2^31, needs no other code with a right shift of one: its product is even, and halving it exact. Its
 * second rounding divides by 2^right with halves away from zero: 2^(right - 1) - 1 is added, and one more where the
 * negated operand is negative, that is where the product is positive. Where b equals its zero point, nothing or one less
 * than a half is divided: zero in both cases. The output is requantized as in tn_requantize_doubled. */
TN_KERNEL void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    tn_add_quantization q = params->quantization;
    int32_t count = params->count;
    if (q.b_multiplier == HALF && q.b_shift == 0) {
        const int8_t *const first = a;
        q = swapped(q);
        a = b;
        b = first;
    }
    if (is_plain(&q)) {
        const int32_t right = q.b_shift < 0 ? -q.b_shift : 1;
        const int32_t b_multiplier = q.b_shift < 0 ? -q.b_multiplier : INT32_MIN;
        const int32_t b_offset = q.b_zero_point * (1 << (HEADROOM + 1));
        const int32_t b_rounding = (1 << (right - 1)) - 1;
        const int32_t a_offset = -q.a_zero_point * (1 << HEADROOM);
        const int32_t half = -q.output_shift - 1;
        const int32_t rounding = (2 * q.output_zero_point + 1) * (1 << half);
        const int32_t multiplier = q.output_multiplier;
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
                    : "r"((int32_t)*b++), "r"(b_offset), "r"(b_multiplier), "r"(b_rounding), "r"(right),
                      "r"((int32_t)*a++), "r"(a_offset)
                    : "cc");
            *y++ = (int8_t)tn_requantize_doubled(sum, multiplier, rounding, half);
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
