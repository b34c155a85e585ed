/* SPDX-License-Identifier: Apache-2.0 */
#include "gemm_swar_w16.h"

#include <stddef.h>

#include "../arithmetic/armv6m.h"
#include "../arithmetic/dsp.h"
#include "../arithmetic/affine.h"

enum { HEAD_WORDS = 4, PAIR_WORDS = 4 };

#if TN_THUMB1

TN_OFFSET(tn_gemm_swar_w16, column, 8);
TN_OFFSET(tn_gemm_swar_w16, constants, 12);
TN_OFFSET(tn_gemm_swar_w16, skipped, 24);

enum { PAIR_BYTES = 30 }; /* code of PAIR */

/* One pair of elements: eight MACs in 15 instructions. r1 weights, r3 column, r8 and r9 sums of all products of two
 * channels each, r4 and r5 those of the upper channel. (Terse, for C99's limit on the length of a string.) */
#define PLANE(all, upper)                                                                                              \
    "ldm r1!,{r0,r6}\n"                                                                                                \
    "muls r0,r2\n"                                                                                                     \
    "muls r6,r7\n"                                                                                                     \
    "adds r0,r6\n"                                                                                                     \
    "add " all ",r0\n"                                                                                                 \
    "asrs r0,r0,#16\n"                                                                                                 \
    "adcs " upper ",r0\n"
#define PAIR "ldm r3!,{r2,r7}\n" PLANE("r8", "r4") PLANE("r9", "r5")

/* The line of the sum in r0, and the output's byte. */
#define OUTPUT(line, index)                                                                                            \
    "ldm r1!,{r3,r4,r5,r6,r7}\n" line("r3", "r4", "r5", "r6", "r7", "r0") "strb r3,[r2,#" index "]\n"

/* Four channels after the other, up to the last. The loop has eight pairs a round, and is entered so that its first
 * round does what eight do not divide. */
#define FOUR_CHANNELS(line)                                                                                            \
    ".syntax unified\n" /* GCC's default here is the older syntax */                                                   \
    "mov lr,%[tiles]\n"                                                                                                \
    "adr r1,1f\n"                                                                                                      \
    "ldr r2,[%[tiles],#24]\n"                                                                                          \
    "adds r1,r2\n"                                                                                                     \
    "str r1,[%[tiles]]\n"                                                                                              \
    "adds %[tiles],#12\n"                                                                                              \
    "ldm %[tiles]!,{r1,r2,r3}\n"                                                                                       \
    "mov r11,r2\n"                                                                                                     \
    "mov r12,r3\n"                                                                                                     \
    "3:\n"                                                                                                             \
    "ldm r1!,{r4,r5,r6,r7}\n"                                                                                          \
    "mov r8,r6\n"                                                                                                      \
    "mov r9,r7\n"                                                                                                      \
    "mov r7,lr\n"                                                                                                      \
    "ldm r7!,{r0,r2,r3}\n"                                                                                             \
    "mov r10,r2\n"                                                                                                     \
    "mov pc,r0\n"                                                                                                      \
    ".balign 4\n"                                                                                                      \
    "1:\n"                                                                                                             \
    ".rept 8\n" /* PAIRED_UNROLLED of the code generator */ PAIR ".endr\n"                                            \
    "cmp r3,r10\n"                                                                                                     \
    "bne 1b\n"                                                                                                         \
    "lsls r0,r4,#16\n"                                                                                                 \
    "mov r2,r8\n"                                                                                                      \
    "subs r0,r2,r0\n"                                                                                                  \
    "mov r8,r4\n"                                                                                                      \
    "lsls r6,r5,#16\n"                                                                                                 \
    "mov r7,r9\n"                                                                                                      \
    "subs r7,r7,r6\n"                                                                                                  \
    "mov r9,r7\n"                                                                                                      \
    "mov r10,r5\n"                                                                                                     \
    "mov r2,r11\n" OUTPUT(line, "0") "mov r0,r8\n" OUTPUT(line, "1") "mov r0,r9\n" OUTPUT(line, "2")                  \
    "mov r0,r10\n" OUTPUT(line, "3")                                                                                   \
    "adds r2,#4\n"                                                                                                     \
    "mov r11,r2\n"                                                                                                     \
    "cmp r2,r12\n"                                                                                                     \
    "beq 4f\n"                                                                                                         \
    "b 3b\n"                                                                                                           \
    "4:\n"                                                                                                             \
    "mov r7,lr\n"                                                                                                      \
    "str r1,[r7,#12]\n"
#define SPOILED "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

static TN_KERNEL void four_channels(tn_gemm_swar_w16 *tiles)
{
    __asm__ volatile(FOUR_CHANNELS(TN_AFFINE) : [tiles] "+l"(tiles) : : SPOILED);
}

static TN_KERNEL void four_channels_with_drop(tn_gemm_swar_w16 *tiles)
{
    __asm__ volatile(FOUR_CHANNELS(TN_AFFINE_WITH_DROP) : [tiles] "+l"(tiles) : : SPOILED);
}

#else

enum { PAIR_BYTES = 0 };

/* Sums of two channels; `weights` are those of the first pair of elements. */
static void both_sums(const tn_gemm_swar_w16 *tiles, const uint32_t *weights, int32_t *lower, int32_t *upper)
{
    for (const uint32_t *x = tiles->column; x != tiles->end; x += 2) {
        for (int32_t i = 0; i < 2; i++) {
            *lower += tn_lower_of(weights[i]) * (int32_t)x[i];
            *upper += tn_upper_of(weights[i]) * (int32_t)x[i];
        }
        weights += PAIR_WORDS;
    }
}

static inline void any_channels(tn_gemm_swar_w16 *tiles, tn_affine_function *line)
{
    while (tiles->output != tiles->last) {
        const uint32_t *head = tiles->constants;
        const uint32_t *weights = head + HEAD_WORDS;
        const uint32_t *words = weights + PAIR_WORDS * tiles->params->pairs;
        for (int32_t i = 0; i < 2; i++) {
            int32_t upper = (int32_t)head[i];
            int32_t lower = (int32_t)(head[2 + i] - (head[i] << 16));
            both_sums(tiles, weights + 2 * i, &lower, &upper);
            *tiles->output++ = line(words, lower);
            *tiles->output++ = line(words + TN_AFFINE_WORDS, upper);
            words += 2 * TN_AFFINE_WORDS;
        }
        tiles->constants = words;
    }
}

static void four_channels(tn_gemm_swar_w16 *tiles)
{
    any_channels(tiles, tn_affine_requantize);
}

static void four_channels_with_drop(tn_gemm_swar_w16 *tiles)
{
    any_channels(tiles, tn_affine_requantize_with_drop);
}

#endif

/* Computes outputs, four at a time. Not inlined: it takes the same for all channels of a pixel and for its last ones. */
static TN_KERNEL void compute(tn_gemm_swar_w16 *tiles, int8_t *output, int32_t count)
{
    tiles->output = output;
    tiles->last = output + count;
    if (tiles->params->general == TN_ALL_AFFINE) {
        four_channels(tiles);
    } else {
        four_channels_with_drop(tiles);
    }
}

TN_KERNEL void tn_gemm_swar_w16_begin(tn_gemm_swar_w16 *tiles, const tn_gemm_params *params, uint32_t *column)
{
    column[2 * params->pairs - 1] = 0; /* of an odd number of elements the last one is missing */
    tiles->column = column;
    tiles->end = column + 2 * params->pairs;
    tiles->skipped = params->skipped * (uint32_t)PAIR_BYTES;
    tiles->params = params;
    tiles->over = params->output_channels & (TN_CHANNELS_AT_ONCE - 1);
    tiles->whole = params->output_channels - tiles->over;
}

TN_KERNEL void tn_gemm_swar_w16_pixel(tn_gemm_swar_w16 *tiles, int8_t *output)
{
    tiles->constants = tiles->params->constants;
    if (tiles->whole > 0) {
        compute(tiles, output, tiles->whole);
        output += tiles->whole;
    }
    if (tiles->over > 0) {
        compute(tiles, tiles->rest, TN_CHANNELS_AT_ONCE);
        for (int32_t i = 0; i < tiles->over; i++) {
            output[i] = tiles->rest[i];
        }
    }
}
