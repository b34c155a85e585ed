/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/dot_tiles.h"

#include "tinynas/fixed_point.h"

enum { TILE_OUTPUTS = 2 * TN_COLUMNS };

/* The shift of TFLite's quantized multiplier, from the byte that holds its complement. */
static inline int32_t shift_of(uint32_t shifts, int32_t channel)
{
    return ~(int32_t)(int8_t)(shifts >> (8 * channel));
}

/* The long way, for any multiplier: sums of the first channel, then of the second. */
static void requantize_tile(const tn_dot_params *params, const int32_t *sums, const int32_t *multipliers,
                            uint32_t shifts, int8_t *output, int32_t step)
{
    for (int32_t channel = 0; channel < 2; channel++) {
        for (int32_t column = 0; column < TN_COLUMNS; column++) {
            const int32_t scaled = tn_multiply_by_quantized_multiplier(*sums++, multipliers[channel],
                                                                       shift_of(shifts, channel));
            output[column * step + channel] = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
        }
    }
}

#if TN_DSP

/* One pair of elements: sixteen MACs in thirteen instructions of four bytes each. */
#define PAIR                                                                                                           \
    "ldr    %[wa], [%[w]], #4\n\t"                                                                                     \
    "ldrd   %[xa], %[xb], [%[x]], #8\n\t"                                                                              \
    "sxtb16 %[wb], %[wa], ror #8\n\t"                                                                                  \
    "sxtb16 %[wa], %[wa]\n\t"                                                                                          \
    "smlad  %[a0], %[xa], %[wa], %[a0]\n\t"                                                                            \
    "smlad  %[b0], %[xa], %[wb], %[b0]\n\t"                                                                            \
    "smlad  %[a1], %[xb], %[wa], %[a1]\n\t"                                                                            \
    "smlad  %[b1], %[xb], %[wb], %[b1]\n\t"                                                                            \
    "ldrd   %[xa], %[xb], [%[x]], #8\n\t"                                                                              \
    "smlad  %[a2], %[xa], %[wa], %[a2]\n\t"                                                                            \
    "smlad  %[b2], %[xa], %[wb], %[b2]\n\t"                                                                            \
    "smlad  %[a3], %[xb], %[wa], %[a3]\n\t"                                                                            \
    "smlad  %[b3], %[xb], %[wb], %[b3]\n\t"

enum { UNROLLED = 4, PAIR_BYTES = 52 };

/* Sums of two channels over four columns. The loop is entered so that its first round does what four do not divide:
 * `entry` is a multiple of PAIR_BYTES. Two words and two pairs of halfwords, eight sums and two pointers are all
 * fourteen registers there are. */
TN_KERNEL void tn_dot_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const uint32_t *w = params->constants;
    const int32_t pairs = params->pairs;
    const float entry = tn_park((uint32_t)(-pairs & (UNROLLED - 1)) * PAIR_BYTES);
    const int32_t zero_point = 2 * params->output_zero_point + 1;
    const int32_t general = params->general;
    int32_t advance = 2 - (params->output_channels & 1);
    for (int32_t tile = (params->output_channels + 1) / 2; tile > 0; tile--) {
        const uint32_t *x = columns;
        int32_t a0 = (int32_t)w[0];
        int32_t b0 = (int32_t)w[1];
        int32_t a1 = a0;
        int32_t a2 = a0;
        int32_t a3 = a0;
        int32_t b1 = b0;
        int32_t b2 = b0;
        int32_t b3 = b0;
        uint32_t wa;
        uint32_t wb;
        uint32_t xa;
        uint32_t xb;
        w += 2;
        const float end = tn_park((uint32_t)(uintptr_t)(w + pairs));
        __asm__ volatile("vmov   %[xa], %[entry]\n\t"
                         "add    pc, %[xa]\n\t"
                         "nop\n" /* the program counter reads as the address of what follows */
                         "1:\n\t" PAIR PAIR PAIR PAIR
                         "vmov   %[xa], %[end]\n\t"
                         "cmp    %[w], %[xa]\n\t"
                         "bne.w  1b"
                         : [a0] "+r"(a0), [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [b0] "+r"(b0), [b1] "+r"(b1),
                           [b2] "+r"(b2), [b3] "+r"(b3), [w] "+r"(w), [x] "+r"(x), [wa] "=&r"(wa), [wb] "=&r"(wb),
                           [xa] "=&r"(xa), [xb] "=&r"(xb)
                         : [end] "t"(end), [entry] "t"(entry)
                         : "cc", "memory");
        const uint32_t shifts = w[2];
        if (general != 0) {
            const int32_t sums[TILE_OUTPUTS] = {a0, a1, a2, a3, b0, b1, b2, b3};
            requantize_tile(params, sums, (const int32_t *)w, shifts, output, step);
        } else {
            int8_t *y = output;
            const int32_t half_a = (int32_t)(shifts & 0xFFu);
            const int32_t half_b = (int32_t)(shifts >> 8);
            const int32_t multiplier_a = (int32_t)w[0];
            const int32_t multiplier_b = (int32_t)w[1];
            const int32_t rounding_a = zero_point * (1 << half_a);
            const int32_t rounding_b = zero_point * (1 << half_b);
            y[0] = (int8_t)tn_requantize_doubled(a0 * 2, multiplier_a, rounding_a, half_a);
            y[1] = (int8_t)tn_requantize_doubled(b0 * 2, multiplier_b, rounding_b, half_b);
            y += step;
            y[0] = (int8_t)tn_requantize_doubled(a1 * 2, multiplier_a, rounding_a, half_a);
            y[1] = (int8_t)tn_requantize_doubled(b1 * 2, multiplier_b, rounding_b, half_b);
            y += step;
            y[0] = (int8_t)tn_requantize_doubled(a2 * 2, multiplier_a, rounding_a, half_a);
            y[1] = (int8_t)tn_requantize_doubled(b2 * 2, multiplier_b, rounding_b, half_b);
            y += step;
            y[0] = (int8_t)tn_requantize_doubled(a3 * 2, multiplier_a, rounding_a, half_a);
            y[1] = (int8_t)tn_requantize_doubled(b3 * 2, multiplier_b, rounding_b, half_b);
        }
        w += 3;
        output += advance;
        advance = 2;
    }
}

#else

/* The portable form: two channels over two columns at a time, so that every element that is loaded serves twice. */
TN_KERNEL void tn_dot_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const uint32_t *w = params->constants;
    const int32_t pairs = params->pairs;
    int32_t advance = 2 - (params->output_channels & 1);
    for (int32_t tile = (params->output_channels + 1) / 2; tile > 0; tile--) {
        int32_t sums[TILE_OUTPUTS];
        for (int32_t column = 0; column < TN_COLUMNS; column += 2) {
            const int16_t *x = (const int16_t *)(columns + column);
            const int8_t *weight = (const int8_t *)(w + 2);
            int32_t a0 = (int32_t)w[0];
            int32_t b0 = (int32_t)w[1];
            int32_t a1 = a0;
            int32_t b1 = b0;
            for (int32_t i = pairs; i > 0; i--) {
                a0 += x[0] * weight[0] + x[1] * weight[2];
                b0 += x[0] * weight[1] + x[1] * weight[3];
                a1 += x[2] * weight[0] + x[3] * weight[2];
                b1 += x[2] * weight[1] + x[3] * weight[3];
                x += 2 * TN_COLUMNS;
                weight += 4;
            }
            sums[column] = a0;
            sums[column + 1] = a1;
            sums[TN_COLUMNS + column] = b0;
            sums[TN_COLUMNS + column + 1] = b1;
        }
        w += 2 + pairs;
        requantize_tile(params, sums, (const int32_t *)w, w[2], output, step);
        w += 3;
        output += advance;
        advance = 2;
    }
}

#endif
