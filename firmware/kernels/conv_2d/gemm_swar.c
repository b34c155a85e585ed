/* SPDX-License-Identifier: Apache-2.0 */
#include "gemm_swar.h"

#include "../arithmetic/armv6m.h"
#include "../arithmetic/fixed_point.h"

enum { BLOCK = 8, CHANNEL_WORDS = 3 };

/* Sums of one channel over the two columns of a plane; `apart` is the distance of its weights. */
static void plane_sums(const uint32_t *plane, const int8_t *weights, int32_t apart, int32_t pairs, int32_t *first,
                       int32_t *second)
{
    int32_t low_sum = *first;
    int32_t high_sum = *second;
    for (int32_t i = pairs; i > 0; i--) {
        for (int32_t j = 0; j < TN_PLANE_WORDS; j++) {
            low_sum += tn_lower_of(plane[j]) * *weights;
            high_sum += tn_upper_of(plane[j]) * *weights;
            weights += apart;
        }
        plane += TN_PAIR_WORDS;
    }
    *first = low_sum;
    *second = high_sum;
}

/* A block of channels on any core, with any multipliers. */
static void any_block(const tn_gemm_params *params, const int8_t *weights, const uint32_t *channel, int32_t channels,
                      const uint32_t *columns, int32_t planes, int8_t *output, int32_t step)
{
    for (int32_t c = 0; c < channels; c++) {
        const int32_t bias = (int32_t)channel[0];
        const int32_t shift = ~(int8_t)channel[2];
        int32_t sums[TN_COLUMNS] = {bias, bias, bias, bias};
        int8_t *y = output + c;
        for (int32_t p = 0; p < planes; p++) {
            plane_sums(columns + p * TN_PLANE_WORDS, weights + c, channels, params->pairs, &sums[p], &sums[p + planes]);
        }
        for (int32_t column = 0; column < 2 * planes; column++) {
            const int32_t scaled =
                tn_multiply_by_quantized_multiplier(sums[column], (int32_t)channel[1], shift);
            *y = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
            y += step;
        }
        channel += CHANNEL_WORDS;
    }
}

#if TN_THUMB1

/* What waits in memory while registers are needed for other things; the assembly knows the offsets. */
typedef struct {
    uint32_t entry;          /*  0: bytes of code to skip, then the address to enter the loop at */
    const uint32_t *start;   /*  4: the columns */
    uint32_t weights;        /*  8: the channel's first weight, less the address of the columns */
    int32_t sums[3];         /* 12: of columns 2, 3 and 1; of one plane, of its second column */
    const uint32_t *channel; /* 24: its bias, multiplier and shift */
    int8_t *output;          /* 28: of the first column */
    const int8_t *last;      /* 32: of the last channel of a block, in the last column */
    const uint32_t *end;     /* 36: of the columns */
    int32_t step;            /* 40 */
    uint32_t apart;          /* 44: how much farther than eight bytes two weights are apart; for smaller blocks */
    uint32_t back;           /* 48: what that is for all weights, negative; likewise */
    const int8_t *very_last; /* 52: of the last block */
    uint32_t onward;         /* 56: from behind one block of weights to the next */
} block_state;

/* One pair of elements: eight MACs in 16 instructions, or four in 10 of a plane alone. r1 columns, r3 weights from
 * there, r8 and r9 both planes' T, r4 and r5 sums of their second columns. (Terse, for C99's limit on the length of a
 * string.) */
#define FIRST_PLANE(step)                                                                                              \
    "ldrsb r7,[r1,r3]\n"                                                                                               \
    "ldm r1!,{r0,r6}\n" step "ldrsb r2,[r1,r3]\n"                                                                      \
    "muls r0,r7\n"                                                                                                     \
    "muls r6,r2\n"                                                                                                     \
    "adds r0,r6\n"                                                                                                     \
    "add r8,r0\n"                                                                                                      \
    "asrs r0,r0,#16\n"                                                                                                 \
    "adcs r4,r0\n"
#define SECOND_PLANE                                                                                                   \
    "ldm r1!,{r0,r6}\n"                                                                                                \
    "muls r0,r7\n"                                                                                                     \
    "muls r6,r2\n"                                                                                                     \
    "adds r0,r6\n"                                                                                                     \
    "add r9,r0\n"                                                                                                      \
    "asrs r0,r0,#16\n"                                                                                                 \
    "adcs r5,r0\n"
#define NO_SECOND_PLANE "adds r1,#8\n"

/* Requantizes the sum in r0 in halves (armv6m.h), and stores it: r4 and r5 halves of the multiplier, r6 twice the upper
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

/* The sum of the other plane's first column, to r6. */
#define SECOND_SUM                                                                                                     \
    "lsls r6,r5,#16\n"                                                                                                 \
    "mov r7,r9\n"                                                                                                      \
    "subs r6,r7,r6\n"

/* Blocks of channels. In blocks of eight, a weight is followed by that of the next element eight bytes on, as far as
 * the columns advance between the two: one register leads from these to those. That loop has seven pairs a round, and
 * is entered so that its first round does what seven do not divide. In a smaller block, the register moves, one pair a
 * round. */
#define BLOCKS(second_plane, second_sum, further_outputs)                                                              \
    ".syntax unified\n" /* GCC's default here is the older syntax */                                                   \
    "mov lr,%[state]\n"                                                                                                \
    "adr r1,1f\n"                                                                                                      \
    "ldr r2,[%[state]]\n"                                                                                              \
    "adds r1,r2\n"                                                                                                     \
    "str r1,[%[state]]\n"                                                                                              \
    "adds %[state],#36\n"                                                                                              \
    "ldm %[state]!,{r1,r2,r3}\n"                                                                                       \
    "mov r10,r1\n"                                                                                                     \
    "mov r12,r2\n"                                                                                                     \
    "mov r11,r3\n"                                                                                                     \
    "b 4f\n"                                                                                                           \
    ".balign 4\n"                                                                                                      \
    "1:\n" FIRST_PLANE("add r3,r11\n") second_plane "add r3,r11\n"                                                     \
    "cmp r1,r10\n"                                                                                                     \
    "bne 1b\n"                                                                                                         \
    "mov r7,lr\n"                                                                                                      \
    "ldr r7,[r7,#48]\n"                                                                                                \
    "adds r3,r7\n"                                                                                                     \
    "b 3f\n"                                                                                                           \
    "2:\n"                                                                                                             \
    ".rept 7\n" /* _UNROLLED of the code generator */ FIRST_PLANE("") second_plane ".endr\n"                           \
    "cmp r1,r10\n"                                                                                                     \
    "bne 2b\n"                                                                                                         \
    "3:\n"                                                                                                             \
    "adds r3,#1\n"                                                                                                     \
    "lsls r0,r4,#16\n"                                                                                                 \
    "mov r7,r8\n"                                                                                                      \
    "subs r0,r7,r0\n" second_sum                                                                                       \
    "mov r1,lr\n"                                                                                                      \
    "adds r1,#8\n"                                                                                                     \
    "stm r1!,{r3,r4,r5,r6}\n"                                                                                          \
    "ldr r2,[r1]\n"                                                                                                    \
    "ldm r2!,{r4,r5,r7}\n"                                                                                             \
    "stm r1!,{r2}\n"                                                                                                   \
    "ldr r3,[r1]\n"                                                                                                    \
    "adds r2,r3,#1\n"                                                                                                  \
    "str r2,[r1]\n"                                                                                                    \
    "uxth r4,r5\n"                                                                                                     \
    "lsrs r5,r5,#16\n"                                                                                                 \
    "adds r6,r5,r5\n"                                                                                                  \
    "lsrs r1,r7,#8\n"                                                                                                  \
    "lsls r1,r7\n"                                                                                                     \
    "mov r8,r1\n"                                                                                                      \
    "adds r7,#1\n" OUTPUT further_outputs                                                                              \
    "mov r1,lr\n"                                                                                                      \
    "ldr r1,[r1,#32]\n"                                                                                                \
    "cmp r3,r1\n"                                                                                                      \
    "beq 5f\n"                                                                                                         \
    "4:\n"                                                                                                             \
    "mov r7,lr\n"                                                                                                      \
    "ldr r2,[r7,#24]\n"                                                                                                \
    "ldm r7!,{r0,r1,r3}\n"                                                                                             \
    "ldr r4,[r2]\n"                                                                                                    \
    "mov r5,r4\n"                                                                                                      \
    "lsls r6,r4,#16\n"                                                                                                 \
    "adds r6,r4\n"                                                                                                     \
    "mov r8,r6\n"                                                                                                      \
    "mov r9,r6\n"                                                                                                      \
    "mov pc,r0\n"                                                                                                      \
    "5:\n"                                                                                                             \
    "mov r7,lr\n"                                                                                                      \
    "ldr r2,[r7,#52]\n"                                                                                                \
    "cmp r1,r2\n"                                                                                                      \
    "beq 6f\n"                                                                                                         \
    "adds r1,#8\n"                                                                                                     \
    "str r1,[r7,#32]\n"                                                                                                \
    "ldr r1,[r7,#8]\n"                                                                                                 \
    "ldr r2,[r7,#56]\n"                                                                                                \
    "adds r1,r2\n"                                                                                                     \
    "str r1,[r7,#8]\n"                                                                                                 \
    "b 4b\n"                                                                                                           \
    "6:\n"
#define SPOILED "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

static TN_KERNEL void blocks_by_four(block_state *state)
{
    __asm__ volatile(BLOCKS(SECOND_PLANE, SECOND_SUM,
                            NEXT_SUM("20") OUTPUT NEXT_SUM("12") OUTPUT NEXT_SUM("16") OUTPUT)
                     : [state] "+l"(state)
                     :
                     : SPOILED);
}

static TN_KERNEL void blocks_by_two(block_state *state)
{
    __asm__ volatile(BLOCKS(NO_SECOND_PLANE, "", NEXT_SUM("12") OUTPUT) : [state] "+l"(state) : : SPOILED);
}

/* Bytes of code of a pair of elements of a plane alone, of all from label 1 to label 2, and what another plane adds. */
enum { PAIR_BYTES = 20, REST_BYTES = 36, SECOND_PLANE_BYTES = 12 };

static void compute(block_state *state, int32_t planes)
{
    if (planes > 1) {
        blocks_by_four(state);
    } else {
        blocks_by_two(state);
    }
}

#endif

TN_KERNEL void tn_gemm_swar(const tn_gemm_params *params, const uint32_t *columns, int32_t planes, int8_t *output,
                            int32_t step)
{
    const int32_t pairs = params->pairs;
    const int32_t outputs = params->output_channels;
    const int8_t *const weights = (const int8_t *)params->constants;
    const uint32_t *const channels = params->constants + ((pairs * outputs + 1) >> 1);
#if TN_THUMB1
    if (params->general == 0) {
        const int32_t rest = outputs & (BLOCK - 1);
        const int32_t whole = outputs - rest;
        const int32_t last = planes > 1 ? 3 * step : step; /* column */
        const uint32_t second_plane = planes > 1 ? SECOND_PLANE_BYTES : 0;
        const uint32_t from_columns = (uint32_t)(uintptr_t)weights - (uint32_t)(uintptr_t)columns;
        block_state state;
        state.start = columns;
        state.end = columns + TN_PAIR_WORDS * pairs;
        state.channel = channels;
        state.output = output;
        state.step = step;
        if (whole > 0) {
            state.entry = params->skipped * (PAIR_BYTES + second_plane) + REST_BYTES + second_plane;
            state.weights = from_columns;
            state.last = output + (BLOCK - 1) + last;
            state.very_last = state.last + (whole - BLOCK);
            state.onward = 2 * BLOCK * (uint32_t)pairs - BLOCK;
            compute(&state, planes);
        }
        if (rest > 0) {
            state.entry = 0;
            state.weights = from_columns + 2 * (uint32_t)(pairs * whole);
            state.last = state.output + (rest - 1) + last;
            state.very_last = state.last;
            state.apart = (uint32_t)rest - BLOCK;
            state.back = 0u - 2 * (uint32_t)pairs * state.apart;
            compute(&state, planes);
        }
        return;
    }
#endif
    for (int32_t first = 0; first < outputs; first += BLOCK) {
        const int32_t count = outputs - first < BLOCK ? outputs - first : BLOCK;
        any_block(params, weights + 2 * pairs * first, channels + CHANNEL_WORDS * first, count, columns, planes,
                  output + first, step);
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
        __asm__ volatile(".syntax unified\n\t"
                         "1:\n\t"
                         "ldrsb  r0, [%[first], %[i]]\n\t"
                         "ldrsb  r1, [%[second], %[i]]\n\t"
                         "lsls   r1, r1, #16\n\t"
                         "adds   r0, r0, r1\n\t"
                         "adds   %[i], #1\n\t"
                         "ldrsb  r1, [%[first], %[i]]\n\t"
                         "ldrsb  r2, [%[second], %[i]]\n\t"
                         "lsls   r2, r2, #16\n\t"
                         "adds   r1, r1, r2\n\t"
                         "stmia  %[plane]!, {r0, r1}\n\t"
                         "adds   %[plane], #8\n\t"
                         "adds   %[i], #1\n\t"
                         "bne    1b"
                         : [plane] "+l"(plane), [i] "+l"(i)
                         : [first] "l"(first), [second] "l"(second)
                         : "r0", "r1", "r2", "cc", "memory");
    }
#else
    for (int32_t i = -even; i < 0; i += 2) {
        plane[0] = tn_two_in_word(first[i], second[i]);
        plane[1] = tn_two_in_word(first[i + 1], second[i + 1]);
        plane += TN_PAIR_WORDS;
    }
#endif
    if (even != count) {
        plane[0] = tn_two_in_word(*first, *second);
        plane[1] = 0;
        plane += TN_PAIR_WORDS;
    }
    return plane;
}
