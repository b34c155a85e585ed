/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/dot_tiles.h"

#include "tinynas/fixed_point.h"

enum { CHANNEL_WORDS = 2, TILE_WORDS = 2 * CHANNEL_WORDS + 1 };

/* Sums of one channel over four columns, two columns at a time, so that every weight that is loaded serves twice. */
static void channel_sums(const uint32_t *x, const int8_t *weights, int32_t pairs, int32_t bias, int32_t *sums)
{
    for (int32_t column = 0; column < TN_COLUMNS; column += 2) {
        const uint32_t *pair = x + column;
        const int8_t *weight = weights;
        int32_t first = bias;
        int32_t second = bias;
        for (int32_t i = pairs; i > 0; i--) {
            first += tn_first_of(pair[0]) * weight[0] + tn_second_of(pair[0]) * weight[2];
            second += tn_first_of(pair[1]) * weight[0] + tn_second_of(pair[1]) * weight[2];
            pair += TN_COLUMNS;
            weight += 4;
        }
        sums[column] = first;
        sums[column + 1] = second;
    }
}

/* One channel of a tile at a time: any core, any multiplier. */
static void any_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const uint32_t *w = params->constants;
    const int32_t pairs = params->pairs;
    const int32_t zero_point = params->output_zero_point;
    int32_t advance = 2 - (params->output_channels & 1);
    for (int32_t tile = (params->output_channels + 1) / 2; tile > 0; tile--) {
        const uint32_t *channel = w + pairs;
        for (int32_t c = 0; c < 2; c++) {
            const int32_t bias = (int32_t)channel[0] >> (1 - params->general);
            const int32_t multiplier = (int32_t)channel[1];
            const int32_t half = (int8_t)(w[pairs + 2 * CHANNEL_WORDS] >> (8 * c)); /* the complement of the shift */
            int32_t sums[TN_COLUMNS];
            int8_t *y = output + c;
            channel_sums(columns, (const int8_t *)w + c, pairs, bias, sums);
            for (int32_t column = 0; column < TN_COLUMNS; column++) {
                const int32_t scaled = params->general
                                           ? tn_multiply_by_quantized_multiplier(sums[column], multiplier, ~half)
                                           : tn_multiply_in_halves(sums[column], multiplier, half);
                *y = tn_clamp(scaled + zero_point, INT8_MIN, INT8_MAX);
                y += step;
            }
            channel += CHANNEL_WORDS;
        }
        w += pairs + TILE_WORDS;
        output += advance;
        advance = 2;
    }
}

#if TN_DSP

/* One pair of elements: sixteen MACs in thirteen instructions of four bytes each. (Terse, for C99's limit on
 * the length of a string.) */
#define PAIR                                                                                                           \
    "ldr %[wa], [%[w]], #4\n"                                                                                          \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "sxtb16 %[wb],%[wa], ror #8\n"                                                                                     \
    "sxtb16 %[wa],%[wa]\n"                                                                                             \
    "smlad %[a0],%[xa],%[wa],%[a0]\n"                                                                                  \
    "smlad %[b0],%[xa],%[wb],%[b0]\n"                                                                                  \
    "smlad %[a1],%[xb],%[wa],%[a1]\n"                                                                                  \
    "smlad %[b1],%[xb],%[wb],%[b1]\n"                                                                                  \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smlad %[a2],%[xa],%[wa],%[a2]\n"                                                                                  \
    "smlad %[b2],%[xa],%[wb],%[b2]\n"                                                                                  \
    "smlad %[a3],%[xb],%[wa],%[a3]\n"                                                                                  \
    "smlad %[b3],%[xb],%[wb],%[b3]\n"

/* The first pair of a tile sets the sums, so that nothing has to clear them. */
#define FIRST_PAIR                                                                                                     \
    "ldr %[wa], [%[w]], #4\n"                                                                                          \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "sxtb16 %[wb],%[wa], ror #8\n"                                                                                     \
    "sxtb16 %[wa],%[wa]\n"                                                                                             \
    "smuad %[a0],%[xa],%[wa]\n"                                                                                        \
    "smuad %[b0],%[xa],%[wb]\n"                                                                                        \
    "smuad %[a1],%[xb],%[wa]\n"                                                                                        \
    "smuad %[b1],%[xb],%[wb]\n"                                                                                        \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smuad %[a2],%[xa],%[wa]\n"                                                                                        \
    "smuad %[b2],%[xa],%[wb]\n"                                                                                        \
    "smuad %[a3],%[xb],%[wa]\n"                                                                                        \
    "smuad %[b3],%[xb],%[wb]\n"

/* Bias and requantization of one channel (see tn_requantize_doubled); `shift` is the address of its byte. */
#define CHANNEL(shift, s0, s1, s2, s3)                                                                                 \
    "ldrd   %[wa], %[wb], [%[w]], #8\n\t" /* twice the bias, multiplier */                                             \
    "ldrb   %[xa], " shift "\n\t"         /* half */                                                                   \
    "vmov   %[x], %[zero_point]\n\t"                                                                                   \
    "lsl    %[x], %[x], %[xa]\n\t" /* rounding */                                                                      \
    REQUANTIZE(s0) REQUANTIZE(s1) REQUANTIZE(s2) REQUANTIZE(s3)
#define REQUANTIZE(s)                                                                                                  \
    "add    %[" #s "], %[wa], %[" #s "], lsl #1\n\t"                                                                   \
    "add    %[xb], %[x], %[" #s "], asr #31\n\t"                                                                       \
    "smmlar %[" #s "], %[" #s "], %[wb], %[xb]\n\t"                                                                    \
    "asr    %[" #s "], %[" #s "], %[xa]\n\t"                                                                           \
    "ssat   %[" #s "], #8, %[" #s "], asr #1\n\t"

enum { UNROLLED = 4, PAIR_BYTES = 52 };

/* Tiles from `output` up to `output_end`. Eight sums, two pointers and four operands are all fourteen registers there are;
 * what is needed once a tile waits in floating-point registers. The innermost loop is entered so that its first round does
 * what four do not divide: `entry` counts bytes of code to skip. Returns the constants behind the last tile. */
static inline const uint32_t *tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs, int32_t zero_point,
                                    int8_t *output, const int8_t *output_end, int32_t step)
{
    const int32_t others = pairs - 1;
    const float start = tn_park((uint32_t)(uintptr_t)columns);
    const float end = tn_park((uint32_t)(uintptr_t)(columns + TN_COLUMNS * pairs));
    const float entry = tn_park((uint32_t)(others > 0 ? -others & (UNROLLED - 1) : UNROLLED) * PAIR_BYTES);
    const float doubled_zero_point = tn_park((uint32_t)(2 * zero_point + 1));
    const float apart = tn_park((uint32_t)step);
    const float last = tn_park((uint32_t)(uintptr_t)output_end);
    float y = tn_park((uint32_t)(uintptr_t)output);
    uint32_t x, wa, wb, xa, xb;
    int32_t a0, a1, a2, a3, b0, b1, b2, b3;
    __asm__ volatile("0:\n\t"
                     "vmov   %[x], %[start]\n\t" FIRST_PAIR
                     "vmov   %[xa], %[entry]\n\t"
                     "add    pc, %[xa]\n\t"
                     "nop\n" /* the program counter reads as the address of what follows */
                     "1:\n\t" PAIR PAIR PAIR PAIR
                     "vmov   %[xa], %[end]\n\t"
                     "cmp    %[x], %[xa]\n\t"
                     "bne.w  1b\n\t"
                     CHANNEL("[%[w], #8]", a0, a1, a2, a3) CHANNEL("[%[w], #1]", b0, b1, b2, b3)
                     "vmov   %[x], %[y]\n\t"
                     "vmov   %[xa], %[apart]\n\t"
                     "strb   %[a0], [%[x], #0]\n\t"
                     "strb   %[b0], [%[x], #1]\n\t"
                     "add    %[wa], %[x], %[xa]\n\t"
                     "strb   %[a1], [%[wa], #0]\n\t"
                     "strb   %[b1], [%[wa], #1]\n\t"
                     "add    %[wa], %[wa], %[xa]\n\t"
                     "strb   %[a2], [%[wa], #0]\n\t"
                     "strb   %[b2], [%[wa], #1]\n\t"
                     "add    %[wa], %[wa], %[xa]\n\t"
                     "strb   %[a3], [%[wa], #0]\n\t"
                     "strb   %[b3], [%[wa], #1]\n\t"
                     "add    %[w], %[w], #4\n\t"
                     "add    %[x], %[x], #2\n\t"
                     "vmov   %[y], %[x]\n\t"
                     "vmov   %[xa], %[last]\n\t"
                     "cmp    %[x], %[xa]\n\t"
                     "bne.w  0b"
                     : [w] "+&r"(w), [y] "+&t"(y), [x] "=&r"(x), [wa] "=&r"(wa), [wb] "=&r"(wb), [xa] "=&r"(xa),
                       [xb] "=&r"(xb), [a0] "=&r"(a0), [a1] "=&r"(a1), [a2] "=&r"(a2), [a3] "=&r"(a3), [b0] "=&r"(b0),
                       [b1] "=&r"(b1), [b2] "=&r"(b2), [b3] "=&r"(b3)
                     : [start] "t"(start), [end] "t"(end), [entry] "t"(entry), [zero_point] "t"(doubled_zero_point),
                       [apart] "t"(apart), [last] "t"(last)
                     : "cc", "memory");
    return w;
}

#endif

TN_KERNEL void tn_dot_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
#if TN_DSP
    if (params->general == 0) {
        const uint32_t *w = params->constants;
        int8_t *const end = output + params->output_channels;
        int8_t *first = output;
        /* Of an odd number of channels the second tile starts one channel behind the first. */
        for (int32_t part = params->output_channels & 1; part >= 0; part--) {
            w = tiles(w, columns, params->pairs, params->output_zero_point, first, part ? first + 2 : end, step);
            first++;
        }
        return;
    }
#endif
    any_tiles(params, columns, output, step);
}
