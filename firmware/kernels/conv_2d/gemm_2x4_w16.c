/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/fixed_point.h"
#include "gemm_2x4_assembly.h"

enum { CHANNEL_WORDS = 2, TILE_WORDS = 2 * CHANNEL_WORDS + 1 };

/* One output at a time: any core, any multiplier. */
static void any_tiles(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const int32_t weights = 2 * params->pairs;
    const uint32_t *w = params->constants;
    const int32_t count = step == 0 ? 1 : TN_COLUMNS;
    int32_t advance = 2 - (params->output_channels & 1);
    for (int32_t tile = (params->output_channels + 1) / 2; tile > 0; tile--) {
        for (int32_t c = 0; c < 2; c++) {
            const uint32_t *const channel = w + weights + c * CHANNEL_WORDS;
            const int32_t shift = ~(int32_t)(int8_t)(w[weights + 2 * CHANNEL_WORDS] >> (8 * c));
            for (int32_t column = 0; column < count; column++) {
                const uint32_t *x = columns + column;
                int32_t sum = (int32_t)channel[0] >> (1 - params->general);
                for (int32_t i = c; i < weights; i += 2) {
                    sum += tn_first_of(*x) * (int16_t)w[i] + tn_second_of(*x) * ((int32_t)w[i] >> 16);
                    x += TN_COLUMNS;
                }
                sum = tn_multiply_by_quantized_multiplier(sum, (int32_t)channel[1], shift);
                output[c + column * step] = tn_clamp(sum + params->output_zero_point, INT8_MIN, INT8_MAX);
            }
        }
        w += weights + TILE_WORDS;
        output += advance;
        advance = 2;
    }
}

#if TN_DSP

/* One pair of elements: sixteen MACs in eleven instructions of four bytes each. */
#define PAIR                                                                                                           \
    "ldrd %[wa],%[wb], [%[w]], #8\n"                                                                                   \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smlad %[a0],%[xa],%[wa],%[a0]\n"                                                                                  \
    "smlad %[b0],%[xa],%[wb],%[b0]\n"                                                                                  \
    "smlad %[a1],%[xb],%[wa],%[a1]\n"                                                                                  \
    "smlad %[b1],%[xb],%[wb],%[b1]\n"                                                                                  \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smlad %[a2],%[xa],%[wa],%[a2]\n"                                                                                  \
    "smlad %[b2],%[xa],%[wb],%[b2]\n"                                                                                  \
    "smlad %[a3],%[xb],%[wa],%[a3]\n"                                                                                  \
    "smlad %[b3],%[xb],%[wb],%[b3]\n"
#define FIRST_PAIR                                                                                                     \
    "ldrd %[wa],%[wb], [%[w]], #8\n"                                                                                   \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smuad %[a0],%[xa],%[wa]\n"                                                                                        \
    "smuad %[b0],%[xa],%[wb]\n"                                                                                        \
    "smuad %[a1],%[xb],%[wa]\n"                                                                                        \
    "smuad %[b1],%[xb],%[wb]\n"                                                                                        \
    "ldrd %[xa],%[xb], [%[x]], #8\n"                                                                                   \
    "smuad %[a2],%[xa],%[wa]\n"                                                                                        \
    "smuad %[b2],%[xa],%[wb]\n"                                                                                        \
    "smuad %[a3],%[xb],%[wa]\n"                                                                                        \
    "smuad %[b3],%[xb],%[wb]\n"

/* One pair of elements of one column: four MACs in four instructions. */
#define PAIR_OF_COLUMN                                                                                                 \
    "ldrd %[wa],%[wb], [%[w]], #8\n"                                                                                   \
    "ldr.w %[xa], [%[x]], #16\n"                                                                                       \
    "smlad %[a],%[xa],%[wa],%[a]\n"                                                                                    \
    "smlad %[b],%[xa],%[wb],%[b]\n"
#define FIRST_OF_COLUMN                                                                                                \
    "ldrd %[wa],%[wb], [%[w]], #8\n"                                                                                   \
    "ldr.w %[xa], [%[x]], #16\n"                                                                                       \
    "smuad %[a],%[xa],%[wa]\n"                                                                                         \
    "smuad %[b],%[xa],%[wb]\n"

enum { UNROLLED = 8, PAIR_BYTES = 44, PAIR_OF_COLUMN_BYTES = 16 };

/* The assembler repeats the pair: eight times its text would be longer than C99 lets a string be. */
static inline const uint32_t *tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs, int32_t zero_point,
                                    int8_t *output, const int8_t *output_end, int32_t step)
{
    TN_DOT_TILES(FIRST_PAIR, ".rept 8\n" PAIR ".endr\n\t", UNROLLED, PAIR_BYTES);
}

static inline const uint32_t *column_tiles(const uint32_t *w, const uint32_t *columns, int32_t pairs,
                                           int32_t zero_point, int8_t *output, const int8_t *output_end, int32_t step)
{
    TN_DOT_COLUMN(FIRST_OF_COLUMN, ".rept 8\n" PAIR_OF_COLUMN ".endr\n\t", UNROLLED, PAIR_OF_COLUMN_BYTES);
}

#endif

TN_KERNEL void tn_gemm_2x4_w16(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step)
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
