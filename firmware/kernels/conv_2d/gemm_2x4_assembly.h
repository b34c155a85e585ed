/* SPDX-License-Identifier: Apache-2.0
 *
 * The part that the dense convolutions for DSP instructions share: tiles of two output channels by four columns,
 * whatever form their weights have.
 */
#ifndef TINYNAS_GEMM_2X4_ASSEMBLY_H
#define TINYNAS_GEMM_2X4_ASSEMBLY_H

#include "gemm_2x4.h"

#if TN_DSP

/* Bias and requantization of one channel (see tn_requantize_doubled); `shift` is the address of its byte. */
#define TN_DOT_CHANNEL(shift, s0, s1, s2, s3)                                                                          \
    TN_DOT_SCALE(shift)                                                                                                \
    TN_DOT_REQUANTIZE(s0) TN_DOT_REQUANTIZE(s1) TN_DOT_REQUANTIZE(s2) TN_DOT_REQUANTIZE(s3)
#define TN_DOT_SCALE(shift)                                                                                            \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* twice the bias, multiplier */                                             \
    "ldrb   %[xa], " shift "\n\t"         /* half */                                                                   \
    "vmov   %[x], %[zero_point]\n\t"                                                                                   \
    "lsl    %[x], %[x], %[xa]\n\t" /* rounding */
#define TN_DOT_REQUANTIZE(s)                                                                                           \
    "add    %[" #s "], %[wa], %[" #s "], lsl #1\n\t"                                                                   \
    "add    %[xb], %[x], %[" #s "], asr #31\n\t"                                                                       \
    "smmlar %[" #s "], %[" #s "], %[wb], %[xb]\n\t"                                                                    \
    "asr    %[" #s "], %[" #s "], %[xa]\n\t"                                                                           \
    "ssat   %[" #s "], #8, %[" #s "], asr #1\n\t"

/* The body of a `tn_tiles` function, its return included. FIRST_PAIR sets the sums a0 to a3 and b0 to b3 from the first
 * pair of elements, so that nothing has to clear them; ROUND adds `unrolled` further pairs, of `pair_bytes` of code
 * each. They read weights at w and columns at x, move both on, and may use wa, wb, xa and xb.
 *
 * Eight sums, two pointers and four operands are all fourteen registers there are; what is needed once a tile waits in
 * floating-point registers. The innermost loop is entered so that its first round does what `unrolled`, a power of two,
 * does not divide: `entry` counts bytes of code to skip. */
#define TN_DOT_TILES(FIRST_PAIR, ROUND, unrolled, pair_bytes)                                                          \
    const int32_t others = pairs - 1;                                                                                  \
    const float start = tn_park((uint32_t)(uintptr_t)columns);                                                         \
    const float end = tn_park((uint32_t)(uintptr_t)(columns + TN_COLUMNS * pairs));                                    \
    const float entry = tn_park((uint32_t)(others > 0 ? -others & ((unrolled) - 1) : (unrolled)) * (pair_bytes));      \
    const float doubled_zero_point = tn_park((uint32_t)(2 * zero_point + 1));                                          \
    const float apart = tn_park((uint32_t)step);                                                                       \
    const float last = tn_park((uint32_t)(uintptr_t)output_end);                                                       \
    float y = tn_park((uint32_t)(uintptr_t)output);                                                                    \
    uint32_t x, wa, wb, xa, xb;                                                                                        \
    int32_t a0, a1, a2, a3, b0, b1, b2, b3;                                                                            \
    __asm__ volatile("0:\n\t"                                                                                          \
                     "vmov   %[x], %[start]\n\t" FIRST_PAIR                                                            \
                     "vmov   %[xa], %[entry]\n\t"                                                                      \
                     "add    pc, %[xa]\n\t"                                                                            \
                     "nop\n" /* the program counter reads as the address of what follows */                            \
                     "1:\n\t" ROUND                                                                                    \
                     "vmov   %[xa], %[end]\n\t"                                                                        \
                     "cmp    %[x], %[xa]\n\t"                                                                          \
                     "bne.w  1b\n\t"                                                                                   \
                     TN_DOT_CHANNEL("[%[w], #8]", a0, a1, a2, a3) TN_DOT_CHANNEL("[%[w], #1]", b0, b1, b2, b3)         \
                     "vmov   %[x], %[y]\n\t"                                                                           \
                     "vmov   %[xa], %[apart]\n\t"                                                                      \
                     "strb   %[a0], [%[x], #0]\n\t"                                                                    \
                     "strb   %[b0], [%[x], #1]\n\t"                                                                    \
                     "add    %[wa], %[x], %[xa]\n\t"                                                                   \
                     "strb   %[a1], [%[wa], #0]\n\t"                                                                   \
                     "strb   %[b1], [%[wa], #1]\n\t"                                                                   \
                     "add    %[wa], %[wa], %[xa]\n\t"                                                                  \
                     "strb   %[a2], [%[wa], #0]\n\t"                                                                   \
                     "strb   %[b2], [%[wa], #1]\n\t"                                                                   \
                     "add    %[wa], %[wa], %[xa]\n\t"                                                                  \
                     "strb   %[a3], [%[wa], #0]\n\t"                                                                   \
                     "strb   %[b3], [%[wa], #1]\n\t"                                                                   \
                     "add    %[w], %[w], #4\n\t"                                                                       \
                     "add    %[x], %[x], #2\n\t"                                                                       \
                     "vmov   %[y], %[x]\n\t"                                                                           \
                     "vmov   %[xa], %[last]\n\t"                                                                       \
                     "cmp    %[x], %[xa]\n\t"                                                                          \
                     "bne.w  0b"                                                                                       \
                     : [w] "+&r"(w), [y] "+&t"(y), [x] "=&r"(x), [wa] "=&r"(wa), [wb] "=&r"(wb), [xa] "=&r"(xa),       \
                       [xb] "=&r"(xb), [a0] "=&r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3),                 \
                       [b0] "=&r"(b0), [b1] "=&r"(b1), [b2] "=&r"(b2), [b3] "=&r"(b3)                                  \
                     : [start] "t"(start), [end] "t"(end), [entry] "t"(entry), [zero_point] "t"(doubled_zero_point),   \
                       [apart] "t"(apart), [last] "t"(last)                                                            \
                     : "cc", "memory");                                                                                \
    return w

/* The same for one column: FIRST_PAIR sets the sums a and b. */
#define TN_DOT_COLUMN(FIRST_PAIR, ROUND, unrolled, pair_bytes)                                                         \
    const int32_t others = pairs - 1;                                                                                  \
    const uint32_t entry = (uint32_t)(others > 0 ? -others & ((unrolled) - 1) : (unrolled)) * (pair_bytes);            \
    const uint32_t *const end = columns + TN_COLUMNS * pairs;                                                          \
    const float doubled_zero_point = tn_park((uint32_t)(2 * zero_point + 1));                                          \
    uint32_t x, wa, wb, xa, xb;                                                                                        \
    int32_t a, b;                                                                                                      \
    __asm__ volatile("0:\n\t"                                                                                          \
                     "mov    %[x], %[start]\n\t" FIRST_PAIR                                                            \
                     "add    pc, %[entry]\n\t"                                                                         \
                     "nop\n"                                                                                           \
                     "1:\n\t" ROUND                                                                                    \
                     "cmp    %[x], %[end]\n\t"                                                                         \
                     "bne.w  1b\n\t"                                                                                   \
                     TN_DOT_SCALE("[%[w], #8]") TN_DOT_REQUANTIZE(a) TN_DOT_SCALE("[%[w], #1]") TN_DOT_REQUANTIZE(b)   \
                     "strb   %[a], [%[y]], #1\n\t"                                                                     \
                     "strb   %[b], [%[y]], #1\n\t"                                                                     \
                     "add    %[w], %[w], #4\n\t"                                                                       \
                     "cmp    %[y], %[last]\n\t"                                                                        \
                     "bne.w  0b"                                                                                       \
                     : [w] "+&r"(w), [y] "+&r"(output), [x] "=&r"(x), [wa] "=&r"(wa), [wb] "=&r"(wb), [xa] "=&r"(xa),  \
                       [xb] "=&r"(xb), [a] "=&r"(a), [b] "=&r"(b)                                                      \
                     : [start] "r"(columns), [end] "r"(end), [entry] "r"(entry), [last] "r"(output_end),               \
                       [zero_point] "t"(doubled_zero_point)                                                            \
                     : "cc", "memory");                                                                                \
    (void)step;                                                                                                        \
    return w

/* Tiles from `output` up to `output_end`; returns the constants behind the last. */
typedef const uint32_t *tn_tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs, int32_t zero_point,
                                 int8_t *output, const int8_t *output_end, int32_t step);

/* All tiles of a layer. Of an odd number of channels the second tile starts one channel behind the first. */
static inline __attribute__((always_inline)) void tn_all_tiles(const tn_gemm_params *params, const uint32_t *columns,
                                                               int8_t *output, int32_t step, tn_tiles *tiles)
{
    const uint32_t *w = params->constants;
    int8_t *const end = output + params->output_channels;
    int8_t *first = output;
    for (int32_t part = params->output_channels & 1; part >= 0; part--) {
        w = tiles(w, columns, params->pairs, params->output_zero_point, first, part ? first + 2 : end, step);
        first++;
    }
}

#endif
#endif
