/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "gemm_2x4_assembly.h"

enum { CHANNEL_WORDS = 2, TILE_WORDS = 2 * CHANNEL_WORDS + 1 };

/* The sum of one channel over one column. */
static int32_t channel_sum(const uint32_t *column, const int8_t *weight, int32_t pairs, int32_t bias)
{
    for (int32_t i = pairs; i > 0; i--) {
        bias += tn_first_of(*column) * weight[0] + tn_second_of(*column) * weight[2];
        column += TN_COLUMNS;
        weight += 4;
    }
    return bias;
}

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
static void any_tiles(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const uint32_t *w = params->constants;
    const int32_t pairs = params->pairs;
    const int32_t zero_point = params->output_zero_point;
    const int32_t count = step == 0 ? 1 : TN_COLUMNS;
    int32_t advance = 2 - (params->output_channels & 1);
    for (int32_t tile = (params->output_channels + 1) / 2; tile > 0; tile--) {
        const uint32_t *channel = w + pairs;
        for (int32_t c = 0; c < 2; c++) {
            const int32_t bias = (int32_t)channel[0] >> (1 - params->general);
            const int32_t multiplier = (int32_t)channel[1];
            const int32_t shift = ~(int32_t)(int8_t)(w[pairs + 2 * CHANNEL_WORDS] >> (8 * c));
            const int8_t *const weights = (const int8_t *)w + c;
            int32_t sums[TN_COLUMNS];
            int8_t *y = output + c;
            if (step == 0) {
                sums[0] = channel_sum(columns, weights, pairs, bias);
            } else {
                channel_sums(columns, weights, pairs, bias, sums);
            }
            for (int32_t column = 0; column < count; column++) {
                const int32_t scaled = tn_multiply_by_quantized_multiplier(sums[column], multiplier, shift);
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

/* One pair of elements of one column: four MACs in six instructions. */
#define PAIR_OF_COLUMN                                                                                                 \
    "ldr.w %[wa], [%[w]], #4\n"                                                                                        \
    "ldr.w %[xa], [%[x]], #16\n"                                                                                       \
    "sxtb16 %[wb],%[wa], ror #8\n"                                                                                     \
    "sxtb16 %[wa],%[wa]\n"                                                                                             \
    "smlad %[a],%[xa],%[wa],%[a]\n"                                                                                    \
    "smlad %[b],%[xa],%[wb],%[b]\n"
#define FIRST_OF_COLUMN                                                                                                \
    "ldr.w %[wa], [%[w]], #4\n"                                                                                        \
    "ldr.w %[xa], [%[x]], #16\n"                                                                                       \
    "sxtb16 %[wb],%[wa], ror #8\n"                                                                                     \
    "sxtb16 %[wa],%[wa]\n"                                                                                             \
    "smuad %[a],%[xa],%[wa]\n"                                                                                         \
    "smuad %[b],%[xa],%[wb]\n"

enum { UNROLLED = 4, PAIR_BYTES = 52, PAIR_OF_COLUMN_BYTES = 24 };

static inline const uint32_t *tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs, int32_t zero_point,
                                    int8_t *output, const int8_t *output_end, int32_t step)
{
    TN_DOT_TILES(FIRST_PAIR, PAIR PAIR PAIR PAIR, UNROLLED, PAIR_BYTES);
}

static inline const uint32_t *column_tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs,
                                           int32_t zero_point, int8_t *output, const int8_t *output_end, int32_t step)
{
    TN_DOT_COLUMN(FIRST_OF_COLUMN, PAIR_OF_COLUMN PAIR_OF_COLUMN PAIR_OF_COLUMN PAIR_OF_COLUMN, UNROLLED,
                  PAIR_OF_COLUMN_BYTES);
}

#endif

TN_KERNEL void tn_gemm_2x4(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
#if TN_DSP
    if (params->general == 0) {
        if (step == 0) {
            tn_all_tiles(params, columns, output, step, column_tiles);
        } else {
            tn_all_tiles(params, columns, output, step, tiles);
        }
        return;
    }
#endif
    any_tiles(params, columns, output, step);
}
