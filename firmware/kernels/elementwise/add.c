/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/armv6m.h"
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/dsp.h"
#include "element.h"

#if TN_DSP

/* Elements in fours, 27 instructions for each four, and ten for each element that is left.
 *
 * SMLAWB and SMLAWT multiply a word by a halfword and drop 16 bits: with 256 times a factor, and a halfword that is 256
 * times an operand, nothing is lost. Bytes 1 and 3 of a word are such halfwords once the bytes below them are cleared,
 * and bytes 0 and 2 after a shift. Two sums become halfwords to be saturated to [0, 255], 128 above the output. */
static inline void add_by_plane(const tn_add_plane *plane, int32_t count, const int8_t *a, const int8_t *b, int8_t *y)
{
    uint32_t alpha = (uint32_t)plane->alpha << 8;
    uint32_t beta = (uint32_t)plane->beta << 8;
    int32_t a0;
    int32_t a1;
    int32_t b0;
    int32_t b1;
    int32_t t;
    __asm__ volatile("subs    %[count], #4\n\t"
                     "blt     2f\n"
                     "1:\n\t"
                     "ldr     %[a1], [%[a]], #4\n\t"
                     "ldr     %[b1], [%[b]], #4\n\t"
                     "and     %[a0], %[upper], %[a1], lsl #8\n\t"
                     "and     %[b0], %[upper], %[b1], lsl #8\n\t"
                     "and     %[a1], %[upper]\n\t"
                     "and     %[b1], %[upper]\n\t"
                     "smlawb  %[t], %[alpha], %[a0], %[gamma]\n\t"
                     "smlawt  %[a0], %[alpha], %[a0], %[gamma]\n\t"
                     "smlawb  %[t], %[beta], %[b0], %[t]\n\t"
                     "smlawt  %[a0], %[beta], %[b0], %[a0]\n\t"
                     "asr     %[t], %[right]\n\t"
                     "asr     %[a0], %[right]\n\t"
                     "pkhbt   %[t], %[t], %[a0], lsl #16\n\t"
                     "usat16  %[t], #8, %[t]\n\t"
                     "smlawb  %[a0], %[alpha], %[a1], %[gamma]\n\t"
                     "smlawt  %[a1], %[alpha], %[a1], %[gamma]\n\t"
                     "smlawb  %[a0], %[beta], %[b1], %[a0]\n\t"
                     "smlawt  %[a1], %[beta], %[b1], %[a1]\n\t"
                     "asr     %[a0], %[right]\n\t"
                     "asr     %[a1], %[right]\n\t"
                     "pkhbt   %[a0], %[a0], %[a1], lsl #16\n\t"
                     "usat16  %[a0], #8, %[a0]\n\t"
                     "orr     %[t], %[t], %[a0], lsl #8\n\t"
                     "eor     %[t], #0x80808080\n\t"
                     "str     %[t], [%[y]], #4\n\t"
                     "subs    %[count], #4\n\t"
                     "bge     1b\n"
                     "2:\n\t"
                     "asr     %[alpha], #8\n\t"
                     "asr     %[beta], #8\n\t"
                     "adds    %[count], #4\n\t"
                     "beq     4f\n"
                     "3:\n\t"
                     "ldrsb   %[a0], [%[a]], #1\n\t"
                     "ldrsb   %[b0], [%[b]], #1\n\t"
                     "mla     %[a0], %[alpha], %[a0], %[gamma]\n\t"
                     "mla     %[a0], %[beta], %[b0], %[a0]\n\t"
                     "asr     %[a0], %[right]\n\t"
                     "usat    %[a0], #8, %[a0]\n\t"
                     "eor     %[a0], #0x80\n\t"
                     "strb    %[a0], [%[y]], #1\n\t"
                     "subs    %[count], #1\n\t"
                     "bne     3b\n"
                     "4:"
                     : [a] "+&r"(a), [b] "+&r"(b), [y] "+&r"(y), [count] "+&r"(count), [alpha] "+&r"(alpha),
                       [beta] "+&r"(beta), [a0] "=&r"(a0), [a1] "=&r"(a1), [b0] "=&r"(b0), [b1] "=&r"(b1),
                       [t] "=&r"(t)
                     : [gamma] "r"(plane->gamma + (128 << plane->right)), [right] "r"(plane->right),
                       [upper] "r"(UINT32_C(0xFF00FF00))
                     : "cc", "memory");
}

#elif TN_THUMB1

/* 17 instructions for each element, the loop included; sums are 128 above the output, for TN_SATURATE. */
static inline void add_by_plane(const tn_add_plane *plane, int32_t count, const int8_t *a, const int8_t *b, int8_t *y)
{
    int32_t i = -count;
    int32_t x;
    int32_t t;
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     "1:\n\t"
                     "ldrsb  %[x], [%[a], %[i]]\n\t"
                     "ldrsb  %[t], [%[b], %[i]]\n\t"
                     "muls   %[x], %[alpha], %[x]\n\t"
                     "muls   %[t], %[beta], %[t]\n\t"
                     "adds   %[x], %[x], %[t]\n\t"
                     "add    %[x], %[gamma]\n\t"
                     "asrs   %[x], %[right]\n\t" TN_SATURATE("%[x]", "%[t]")
                     "mov    %[t], %[y]\n\t"
                     "strb   %[x], [%[t], %[i]]\n\t"
                     "adds   %[i], #1\n\t"
                     "bne    1b"
                     : [i] "+&l"(i), [x] "=&l"(x), [t] "=&l"(t)
                     : [a] "l"(a + count), [b] "l"(b + count), [alpha] "l"(plane->alpha), [beta] "l"(plane->beta),
                       [right] "l"(plane->right), [y] "h"(y + count), [gamma] "h"(plane->gamma + (128 << plane->right))
                     : "cc", "memory");
}

#else

static inline void add_by_plane(const tn_add_plane *plane, int32_t count, const int8_t *a, const int8_t *b, int8_t *y)
{
    const tn_add_plane p = *plane;
    for (int32_t i = count; i > 0; i--) {
        *y++ = tn_clamp((*a++ * p.alpha + p.gamma + *b++ * p.beta) >> p.right, INT8_MIN, INT8_MAX);
    }
}

#endif

#if TN_DSP || TN_THUMB1

enum { HALF = 1 << 30, HEADROOM = TN_ADD_LEFT_SHIFT };

/* Both operands in the order of their scales. The one with the larger scale has a multiplier of exactly one half; the
 * other's is smaller, a plain right shift, or one half, too: then it is taken for 1 with a right shift of one, whose
 * product is even, and halving it exact. */
typedef struct {
    const int8_t *larger;
    const int8_t *smaller;
    int32_t larger_zero_point;
    int32_t smaller_zero_point;
    uint32_t multiplier; /* of the smaller one, at most 2^31 */
    int32_t right;       /* its right shift, at least 1 */
    int32_t is_fast;     /* whether all this is so, and the output is within the limits of the short requantization */
} ordered_operands;

static inline ordered_operands in_order(const tn_add_quantization *q, const int8_t *a, const int8_t *b)
{
    const int32_t b_is_larger = (q->b_multiplier == HALF) & (q->b_shift == 0);
    const int32_t a_is_larger = (q->a_multiplier == HALF) & (q->a_shift == 0);
    const int32_t multiplier = b_is_larger ? q->a_multiplier : q->b_multiplier;
    const int32_t shift = b_is_larger ? q->a_shift : q->b_shift;
    const int32_t is_half = (multiplier == HALF) & (shift == 0);
    const int32_t is_shift = (shift < 0) & (shift > -31);
    ordered_operands ordered;
    ordered.larger = b_is_larger ? b : a;
    ordered.smaller = b_is_larger ? a : b;
    ordered.larger_zero_point = b_is_larger ? q->b_zero_point : q->a_zero_point;
    ordered.smaller_zero_point = b_is_larger ? q->a_zero_point : q->b_zero_point;
    ordered.multiplier = is_half ? UINT32_C(1) << 31 : (uint32_t)multiplier;
    ordered.right = is_half ? 1 : -shift;
    ordered.is_fast = (a_is_larger | b_is_larger) & (is_half | is_shift) & (q->output_shift < 0) &
                      (q->output_shift >= -TN_MOST_RIGHT_SHIFT);
    return ordered;
}

#endif

#if TN_DSP

/* The same numbers as tn_add_element in ten instructions, without loads and stores.
 *
 * The larger operand's share is (x - zero_point) << 19, exactly. The smaller one's is
 * SMMULR(-2 * (x - zero_point) << 20, -multiplier): negated twice, so that a multiplier of 1, as -2^31, needs no other
 * code. Its second rounding divides by 2^right with halves away from zero: 2^(right - 1) - 1 is added,
 * and one more where the negated operand is negative, that is where the product is positive. Where x equals its zero
 * point, nothing or one less than a half is divided: zero in both cases. The output is requantized as in
 * tn_requantize_doubled. Choices are made without branches: counts follow from the number of elements alone. */
static inline void add_fast(const tn_add_quantization *q, const ordered_operands *ordered, int32_t count, int8_t *y)
{
    const int8_t *larger_x = ordered->larger;
    const int8_t *smaller_x = ordered->smaller;
    const int32_t right = ordered->right;
    const uint32_t multiplier = 0u - ordered->multiplier;
    const int32_t offset = ordered->smaller_zero_point * (1 << (HEADROOM + 1));
    const int32_t rounding = (1 << (right - 1)) - 1;
    const int32_t larger_offset = -ordered->larger_zero_point * (1 << HEADROOM);
    const int32_t output_half = -q->output_shift - 1;
    const int32_t output_rounding = (2 * q->output_zero_point + 1) * (1 << output_half);
    const int32_t output_multiplier = q->output_multiplier;
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
        *y++ = (int8_t)tn_requantize_doubled(sum, output_multiplier, output_rounding, output_half);
    }
}

#elif TN_THUMB1

/* The same numbers as tn_add_element in 45 instructions, loads, store and loop included.
 *
 * With d = x - zero_point of the smaller operand and its multiplier m = m0 + m1 * 2^11, the first rounding is
 * floor((d * 2^20 * m + 2^30) / 2^31) = d * m1 + floor((d * m0 + 2^10) / 2^11); the shift by eleven leaves the bit to
 * round by in the carry. The second rounding adds 2^(right - 1), less one where d is negative: the sign of the product,
 * since m is at least 2^30, and zero only for d = 0. The larger operand's share is (x - zero_point) << 19, exactly. The
 * sum is below 2^29, and requantized in halves (armv6m.h). What an element needs lies in a table in the order in which
 * it is needed. */
static inline void add_fast(const tn_add_quantization *q, const ordered_operands *ordered, int32_t count, int8_t *y)
{
    const uint32_t multiplier_low = (uint32_t)q->output_multiplier & 0xFFFFu;
    const uint32_t multiplier_high = (uint32_t)q->output_multiplier >> 16;
    const uint32_t table[] = {(uint32_t)(uintptr_t)ordered->larger,
                              (uint32_t)(uintptr_t)ordered->smaller,
                              ordered->multiplier & 0x7FFu,
                              ordered->multiplier >> 11,
                              (uint32_t)ordered->right,
                              multiplier_low,
                              multiplier_high,
                              multiplier_low,
                              (uint32_t)-q->output_shift,
                              (uint32_t)(uintptr_t)y};
    const uint32_t *w = table;
    const uint32_t rounding = 1u << (ordered->right - 1);
    const uint32_t larger_offset = (uint32_t)-ordered->larger_zero_point << (HEADROOM - 1);
    const uint32_t output_rounding = (uint32_t)(2 * (q->output_zero_point + 128) + 1) << (-q->output_shift - 1);
    register uint32_t end __asm__("r0") = (uint32_t)count;
    register uint32_t smaller_offset __asm__("r1") = (uint32_t)-ordered->smaller_zero_point;
    uint32_t i = 0;
    __asm__ volatile(".syntax unified\n\t" /* GCC's default here is the older syntax */
                     "mov    lr, %[end]\n\t"
                     "mov    r12, %[smaller_offset]\n"
                     "1:\n\t"
                     "ldmia  %[w]!, {r0, r1, r2, r3}\n\t"
                     "ldrsb  r0, [r0, %[i]]\n\t"
                     "ldrsb  r1, [r1, %[i]]\n\t"
                     "add    r1, r12\n\t"
                     "muls   r2, r1, r2\n\t"
                     "muls   r3, r1, r3\n\t"
                     "asrs   r1, r1, #31\n\t"
                     "add    r1, %[rounding]\n\t"
                     "adds   r1, r1, r3\n\t"
                     "asrs   r2, r2, #11\n\t"
                     "adcs   r1, r2\n\t"
                     "ldmia  %[w]!, {r2, r3, r4, r5}\n\t"
                     "asrs   r1, r2\n\t"
                     "lsls   r0, r0, #19\n\t"
                     "adds   r1, r1, r0\n\t"
                     "add    r1, %[larger_offset]\n\t"
                     "sxth   r0, r1\n\t" /* the sum's halves */
                     "subs   r2, r1, r0\n\t"
                     "asrs   r2, r2, #16\n\t"
                     "muls   r3, r0, r3\n\t"
                     "asrs   r3, r3, #16\n\t"
                     "muls   r0, r4, r0\n\t"
                     "adds   r3, r3, r0\n\t"
                     "muls   r4, r2, r4\n\t"
                     "muls   r2, r5, r2\n\t"
                     "adds   r3, r3, r2\n\t"
                     "lsls   r4, r4, #1\n\t"
                     "asrs   r1, r1, #31\n\t"
                     "add    r1, %[output_rounding]\n\t"
                     "adds   r1, r1, r4\n\t"
                     "asrs   r3, r3, #15\n\t"
                     "adcs   r1, r3\n\t"
                     "ldmia  %[w]!, {r2, r3}\n\t"
                     "asrs   r1, r2\n\t" TN_SATURATE("r1", "r2")
                     "strb   r1, [r3, %[i]]\n\t"
                     "subs   %[w], #40\n\t" /* the table again */
                     "adds   %[i], %[i], #1\n\t"
                     "cmp    %[i], lr\n\t"
                     "bne    1b"
                     : [w] "+l"(w), [i] "+l"(i), [end] "+l"(end), [smaller_offset] "+l"(smaller_offset)
                     : [rounding] "h"(rounding), [larger_offset] "h"(larger_offset),
                       [output_rounding] "h"(output_rounding)
                     : "r2", "r3", "r4", "r5", "r12", "lr", "cc", "memory");
}

#endif

TN_KERNEL void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const int32_t count = params->count;
    if (params->plane.right > 0) {
        add_by_plane(&params->plane, count, a, b, output);
        tn_clamp_outputs(output, count, params->quantization.activation_min, params->quantization.activation_max);
        return;
    }
    /* A copy in registers: the compiler must assume that writing the output changes what pointers lead to. */
    const tn_add_quantization q = params->quantization;
#if TN_DSP || TN_THUMB1
    const ordered_operands ordered = in_order(&q, a, b);
    if (ordered.is_fast) {
        add_fast(&q, &ordered, count, output);
        tn_clamp_outputs(output, count, q.activation_min, q.activation_max);
        return;
    }
#endif
    for (int32_t i = count; i > 0; i--) {
        *output++ = tn_add_element(&q, *a++, *b++);
    }
}
