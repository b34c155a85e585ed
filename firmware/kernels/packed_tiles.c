/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/packed_tiles.h"

#include "tinynas/armv6m.h"
#include "tinynas/fixed_point.h"

enum { BLOCK = 8, CHANNEL_WORDS = 3 };

static inline uint32_t pack(int32_t first, int32_t second)
{
    return (uint32_t)first + ((uint32_t)second << 16);
}

/* Sums of one channel over the two columns of a plane; `apart` is the distance of its pairs of weights in bytes. */
static void plane_sums(const uint32_t *plane, const int8_t *weights, int32_t apart, int32_t pairs, int32_t *first,
                       int32_t *second)
{
    int32_t low_sum = *first;
    int32_t high_sum = *second;
    for (int32_t i = pairs; i > 0; i--) {
        for (int32_t j = 0; j < TN_PLANE_WORDS; j++) {
            const int32_t low = (int16_t)plane[j];
            const int32_t high = (int32_t)(plane[j] - (uint32_t)low) >> 16;
            low_sum += low * weights[j];
            high_sum += high * weights[j];
        }
        plane += TN_PAIR_WORDS;
        weights += apart;
    }
    *first = low_sum;
    *second = high_sum;
}

/* A block of channels on any core, with any multipliers. */
static void any_block(const tn_dot_params *params, const int8_t *weights, const uint32_t *channel, int32_t channels,
                      const uint32_t *columns, int8_t *output, int32_t step)
{
    for (int32_t c = 0; c < channels; c++) {
        const int32_t bias = (int32_t)channel[0];
        const int32_t shift = ~(int8_t)channel[2];
        int32_t sums[TN_PACKED_COLUMNS] = {bias, bias, bias, bias};
        int8_t *y = output + c;
        for (int32_t p = 0; p < 2; p++) {
            plane_sums(columns + p * TN_PLANE_WORDS, weights + 2 * c, 2 * channels, params->pairs, &sums[p], &sums[p + 2]);
        }
        for (int32_t column = 0; column < TN_PACKED_COLUMNS; column++) {
            const int32_t scaled =
                tn_multiply_by_quantized_multiplier(sums[column], (int32_t)channel[1], shift);
            *y = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
            y += step;
        }
        channel += CHANNEL_WORDS;
    }
}

#if TN_THUMB1

/* What a block keeps in memory while registers are needed for other things; the assembly knows the offsets. */
typedef struct {
    uint32_t entry;          /*  0: bytes of code to skip, then the address to enter the loop at */
    const uint32_t *start;   /*  4: the columns */
    uint32_t weights;        /*  8: the channel's first pair of weights, less the address of the columns */
    int32_t sums[3];         /* 12: of columns 2, 3 and 1 */
    const uint32_t *channel; /* 24: its bias, multiplier and shift */
    int8_t *output;          /* 28: of the first column */
    const int8_t *last;      /* 32: output of the last channel and column */
    const uint32_t *end;     /* 36: of the columns */
    int32_t step;            /* 40 */
    uint32_t apart;          /* 44: by how much the weights of a pair are farther apart than its words in the columns */
    uint32_t back;           /* 48: all of these together, negative */
} block;

/* One pair of elements: eight MACs in 17 instructions. r1 columns, r3 weights from there, r8 and r9 both planes' T, r4 and
 * r5 sums of their second columns. (Terse, for C99's limit on the length of a string.) */
#define PLANE(t, second)                                                                                               \
    "ldm r1!,{r0,r6}\n"                                                                                                \
    "muls r0,r2\n"                                                                                                     \
    "muls r6,r7\n"                                                                                                     \
    "adds r0,r6\n"                                                                                                     \
    "add " t ",r0\n"                                                                                                   \
    "asrs r0,r0,#16\n"                                                                                                 \
    "adcs " second ",r0\n"
#define PAIR                                                                                                           \
    "ldrsh r7,[r1,r3]\n"                                                                                               \
    "sxtb r2,r7\n"                                                                                                     \
    "asrs r7,r7,#8\n" PLANE("r8", "r4") PLANE("r9", "r5")

/* Requantizes the sum in r0, as tn_multiply_in_halves does, and stores it: r4 and r5 halves of the multiplier, r6 twice the upper
 * one, r7 the right shift, r8 `rounding` with the zero point in it, 128 too large (TN_SATURATE). */
#define OUTPUT                                                                                                         \
    "sxth r1,r0\n"                                                                                                     \
    "subs r0,r1\n"                                                                                                     \
    "asrs r0,r0,#16\n"                                                                                                 \
    "mov r2,r1\n"                                                                                                      \
    "muls r2,r4\n"                                                                                                     \
    "asrs r2,r2,#16\n"                                                                                                 \
    "muls r1,r5\n"                                                                                                     \
    "adds r1,r2\n"                                                                                                     \
    "mov r2,r0\n"                                                                                                      \
    "muls r2,r4\n"                                                                                                     \
    "adds r1,r2\n"                                                                                                     \
    "muls r0,r6\n"                                                                                                     \
    "asrs r1,r1,#15\n"                                                                                                 \
    "adcs r0,r1\n"                                                                                                     \
    "asrs r1,r0,#31\n"                                                                                                 \
    "adds r0,r1\n"                                                                                                     \
    "add r0,r8\n"                                                                                                      \
    "asrs r0,r7\n" TN_SATURATE("r0", "r1") "strb r0,[r3]\n"
#define NEXT_SUM(offset)                                                                                               \
    "mov r1,lr\n"                                                                                                      \
    "ldr r0,[r1,#" offset "]\n"                                                                                        \
    "add r3,r12\n"

enum { UNROLLED = 4, PAIR_BYTES = 34, REST_UNROLLED = 2, REST_PAIR_BYTES = 36, REST_BYTES = 84 };

/* One block of channels. It has two loops over pairs, each entered so that its first round does what a whole one does not
 * divide: in blocks of eight, the weights of a channel are as far apart as its pairs in the columns, and one register leads to
 * both; in the last block, that register moves. */
static inline void packed_block(block *state)
{
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     "mov lr,%[state]\n"
                     "adr r1,1f\n"
                     "ldr r2,[%[state]]\n"
                     "adds r1,r2\n"
                     "str r1,[%[state]]\n"
                     "adds %[state],#36\n"
                     "ldm %[state]!,{r1,r2,r3}\n"
                     "mov r10,r1\n"
                     "mov r12,r2\n"
                     "mov r11,r3\n"
                     "b 4f\n"
                     ".balign 4\n"
                     "1:\n" PAIR "add r3,r11\n" PAIR "add r3,r11\n"
                     "cmp r1,r10\n"
                     "bne 1b\n"
                     "mov r7,lr\n"
                     "ldr r7,[r7,#48]\n"
                     "adds r3,r7\n"
                     "b 3f\n"
                     "2:\n" PAIR PAIR PAIR PAIR
                     "cmp r1,r10\n"
                     "bne 2b\n"
                     "3:\n"
                     "adds r3,#2\n"
                     "lsls r0,r4,#16\n"
                     "mov r7,r8\n"
                     "subs r0,r7,r0\n"
                     "lsls r6,r5,#16\n"
                     "mov r7,r9\n"
                     "subs r6,r7,r6\n"
                     "mov r1,lr\n"
                     "adds r1,#8\n"
                     "stm r1!,{r3,r4,r5,r6}\n"
                     "ldr r2,[r1]\n"
                     "ldm r2!,{r4,r5,r7}\n"
                     "stm r1!,{r2}\n"
                     "ldr r3,[r1]\n"
                     "adds r2,r3,#1\n"
                     "str r2,[r1]\n"
                     "uxth r4,r5\n"
                     "lsrs r5,r5,#16\n"
                     "adds r6,r5,r5\n"
                     "lsrs r1,r7,#8\n"
                     "lsls r1,r7\n"
                     "mov r8,r1\n"
                     "adds r7,#1\n" OUTPUT NEXT_SUM("20") OUTPUT NEXT_SUM("12") OUTPUT NEXT_SUM("16") OUTPUT
                     "mov r1,lr\n"
                     "ldr r1,[r1,#32]\n"
                     "cmp r3,r1\n"
                     "beq 5f\n"
                     "4:\n"
                     "mov r7,lr\n"
                     "ldr r2,[r7,#24]\n"
                     "ldm r7!,{r0,r1,r3}\n"
                     "ldr r4,[r2]\n"
                     "mov r5,r4\n"
                     "lsls r6,r4,#16\n"
                     "adds r6,r4\n"
                     "mov r8,r6\n"
                     "mov r9,r6\n"
                     "mov pc,r0\n"
                     "5:\n"
                     : [state] "+l"(state)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

#endif

TN_KERNEL void tn_packed_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step)
{
    const int32_t pairs = params->pairs;
    const uint32_t *block_constants = params->constants;
    int32_t left = params->output_channels;
#if TN_THUMB1
    block state;
    state.start = columns;
    state.end = columns + TN_PAIR_WORDS * pairs;
    state.step = step;
#endif
    while (left > 0) {
        const int32_t channels = left < BLOCK ? left : BLOCK;
        const int8_t *weights = (const int8_t *)block_constants;
        const uint32_t *channel = block_constants + ((channels * pairs + 1) >> 1);
        block_constants = channel + CHANNEL_WORDS * channels;
#if TN_THUMB1
        if (params->general == 0) {
            state.entry = channels < BLOCK ? (uint32_t)(-pairs & (REST_UNROLLED - 1)) * REST_PAIR_BYTES
                                           : (uint32_t)(-pairs & (UNROLLED - 1)) * PAIR_BYTES + REST_BYTES;
            state.apart = 2 * (uint32_t)channels - TN_PAIR_WORDS * sizeof(uint32_t);
            state.back = 0u - (uint32_t)pairs * state.apart;
            state.weights = (uint32_t)(uintptr_t)weights - (uint32_t)(uintptr_t)columns;
            state.channel = channel;
            state.output = output;
            state.last = output + (channels - 1) + 3 * step;
            packed_block(&state);
        } else
#endif
        {
            any_block(params, weights, channel, channels, columns, output, step);
        }
        output += channels;
        left -= channels;
    }
}

TN_KERNEL uint32_t *tn_pack_columns(uint32_t *plane, const int8_t *first, const int8_t *second, int32_t count)
{
    const int32_t even = count & ~1;
    first += even;
    second += even;
#if TN_THUMB1
    if (even > 0) {
        int32_t i = -even;
        int32_t a, b;
        __asm__ volatile(".syntax unified\n\t"
                         "1:\n\t"
                         "ldrsb  %[a], [%[first], %[i]]\n\t"
                         "ldrsb  %[b], [%[second], %[i]]\n\t"
                         "lsls   %[b], %[b], #16\n\t"
                         "adds   %[a], %[a], %[b]\n\t"
                         "str    %[a], [%[plane], #0]\n\t"
                         "adds   %[i], #1\n\t"
                         "ldrsb  %[a], [%[first], %[i]]\n\t"
                         "ldrsb  %[b], [%[second], %[i]]\n\t"
                         "lsls   %[b], %[b], #16\n\t"
                         "adds   %[a], %[a], %[b]\n\t"
                         "str    %[a], [%[plane], #4]\n\t"
                         "adds   %[plane], #16\n\t"
                         "adds   %[i], #1\n\t"
                         "bne    1b"
                         : [plane] "+l"(plane), [i] "+l"(i), [a] "=&l"(a), [b] "=&l"(b)
                         : [first] "l"(first), [second] "l"(second)
                         : "cc", "memory");
    }
#else
    for (int32_t i = -even; i < 0; i += 2) {
        plane[0] = pack(first[i], second[i]);
        plane[1] = pack(first[i + 1], second[i + 1]);
        plane += TN_PAIR_WORDS;
    }
#endif
    if (even != count) {
        plane[0] = pack(*first, *second);
        plane[1] = 0;
        plane += TN_PAIR_WORDS;
    }
    return plane;
}
