/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "../arithmetic/armv6m.h"
#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/fixed_point.h"
#include "../arithmetic/affine.h"
#include "../arithmetic/widen.h"
#include "fully_connected.h"

enum { OUTPUTS = 4, INPUTS = 8, WEIGHT_OFFSET = 128 }; /* at a time; and what is added to weights */

/* A row of input, and which outputs are computed; the assembly knows the offsets. */
typedef struct {
    int32_t correction;        /*  0: what sums have to begin with beside their biases: -128 * sum(x) */
    const uint32_t *column;    /*  4: the inputs, a word each */
    const uint32_t *end;       /*  8: of them */
    const uint32_t *constants; /* 12: of the next four outputs */
    int8_t *output;            /* 16: these */
    const int8_t *last;        /* 20: behind the last four */
    int32_t general;           /* 24: 1: only four outputs, of which no more than the sums */
    int32_t sums[OUTPUTS];     /* 28 */
    int8_t rest[OUTPUTS];      /* the last four, where some of them are missing */
} input_row;

#if TN_THUMB1

TN_OFFSET(input_row, constants, 12);
TN_OFFSET(input_row, last, 20);
TN_OFFSET(input_row, sums, 28);

/* An input in `x`, and its weights of four outputs, which LDRB extends with zeros: four MACs in twelve instructions. */
#define WEIGHT(x, at, sum) "ldrb r2,[r3,#" at "]\nmuls r2," x "\nadd " sum ",r2\n"
#define ELEMENT(x, at0, at1, at2, at3)                                                                                 \
    WEIGHT(x, at0, "r8") WEIGHT(x, at1, "r9") WEIGHT(x, at2, "r10") WEIGHT(x, at3, "r11")
/* Requantizes the sum in r0 by the next five words, and stores the output's byte. */
#define OUTPUT(index)                                                                                                  \
    "ldm r3!,{r2,r4,r5,r6,r7}\n" TN_AFFINE("r2", "r4", "r5", "r6", "r7", "r0") "strb r2,[r1,#" index "]\n"

/* Four outputs after the other, up to the last; eight inputs a round. */
static TN_KERNEL void fast_outputs(input_row *row)
{
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     "mov lr,%[row]\n"
                     "ldr r3,[%[row],#12]\n"
                     "ldr r1,[%[row],#8]\n"
                     "mov r12,r1\n"
                     "3:\n"
                     "ldm r3!,{r4,r5,r6,r7}\n"
                     "mov r2,lr\n"
                     "ldm r2!,{r0,r1}\n"
                     "adds r4,r0\n"
                     "mov r8,r4\n"
                     "adds r5,r0\n"
                     "mov r9,r5\n"
                     "adds r6,r0\n"
                     "mov r10,r6\n"
                     "adds r7,r0\n"
                     "mov r11,r7\n"
                     "1:\n"
                     "ldm r1!,{r0,r4,r5,r6}\n" /* */
                     ELEMENT("r0", "0", "1", "2", "3") ELEMENT("r4", "4", "5", "6", "7")
                     ELEMENT("r5", "8", "9", "10", "11") ELEMENT("r6", "12", "13", "14", "15")
                     "ldm r1!,{r0,r4,r5,r6}\n" /* */
                     ELEMENT("r0", "16", "17", "18", "19") ELEMENT("r4", "20", "21", "22", "23")
                     ELEMENT("r5", "24", "25", "26", "27") ELEMENT("r6", "28", "29", "30", "31")
                     "adds r3,#32\n"
                     "cmp r1,r12\n"
                     "bne 1b\n"
                     "mov r2,lr\n"
                     "ldr r1,[r2,#24]\n"
                     "cmp r1,#0\n"
                     "bne 5f\n"
                     "ldr r1,[r2,#16]\n"
                     "mov r0,r8\n" OUTPUT("0") "mov r0,r9\n" OUTPUT("1") "mov r0,r10\n" OUTPUT("2") "mov r0,r11\n" OUTPUT("3")
                     "adds r1,#4\n"
                     "mov r2,lr\n"
                     "str r1,[r2,#16]\n"
                     "ldr r2,[r2,#20]\n"
                     "cmp r1,r2\n"
                     "beq 4f\n"
                     "b 3b\n"
                     "5:\n"
                     "adds r2,#28\n"
                     "mov r4,r8\n"
                     "mov r5,r9\n"
                     "mov r6,r10\n"
                     "mov r7,r11\n"
                     "stm r2!,{r4,r5,r6,r7}\n"
                     "adds r3,#80\n" /* the lines */
                     "4:\n"
                     "mov r2,lr\n"
                     "str r3,[r2,#12]\n"
                     : [row] "+l"(row)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

#else

/* The same on any core. */
static TN_KERNEL void fast_outputs(input_row *row)
{
    do {
        const uint32_t *const starts = row->constants;
        const uint8_t *w = (const uint8_t *)(starts + OUTPUTS);
        uint32_t sum0 = starts[0] + (uint32_t)row->correction;
        uint32_t sum1 = starts[1] + (uint32_t)row->correction;
        uint32_t sum2 = starts[2] + (uint32_t)row->correction;
        uint32_t sum3 = starts[3] + (uint32_t)row->correction;
        for (const uint32_t *x = row->column; x != row->end; x++) {
            sum0 += *x * w[0];
            sum1 += *x * w[1];
            sum2 += *x * w[2];
            sum3 += *x * w[3];
            w += OUTPUTS;
        }
        row->sums[0] = (int32_t)sum0;
        row->sums[1] = (int32_t)sum1;
        row->sums[2] = (int32_t)sum2;
        row->sums[3] = (int32_t)sum3;
        row->constants = (const uint32_t *)(const void *)w;
        for (int32_t i = 0; i < OUTPUTS; i++) {
            if (row->general == 0) {
                *row->output++ = tn_affine_requantize(row->constants, row->sums[i]);
            }
            row->constants += TN_AFFINE_WORDS;
        }
    } while (row->output < row->last && row->general == 0);
}

#endif

/* Four outputs after the other, up to the last, with any multipliers. */
static TN_KERNEL void any_outputs(input_row *row, int32_t zero_point)
{
    while (row->output != row->last) {
        fast_outputs(row);
        const uint32_t *scale = row->constants - OUTPUTS * TN_AFFINE_WORDS;
        for (int32_t i = 0; i < OUTPUTS; i++) {
            const int32_t scaled = tn_multiply_rounding_once(row->sums[i], (int32_t)scale[0], (int32_t)scale[1]);
            *row->output++ = tn_clamp(scaled + zero_point, INT8_MIN, INT8_MAX);
            scale += TN_AFFINE_WORDS;
        }
    }
}

static inline void compute(input_row *row, int32_t zero_point, int8_t *output, int32_t count)
{
    row->output = output;
    row->last = output + count;
    if (row->general) {
        any_outputs(row, zero_point);
    } else {
        fast_outputs(row);
    }
}

/* Widens a row of input. */
static inline void begin(input_row *row, uint32_t *column, const int8_t *input, int32_t inputs)
{
    const uint32_t *const end = tn_widen(column, input, inputs);
    int32_t sum = 0;
    for (const uint32_t *x = column; x != end; x++) {
        sum += (int32_t)*x;
    }
    row->correction = -WEIGHT_OFFSET * sum;
}

/* All outputs of a row. */
static TN_KERNEL void outputs_of(input_row *row, const tn_gemm_params *params, int8_t *output)
{
    const int32_t rest = params->output_channels & (OUTPUTS - 1);
    const int32_t whole = params->output_channels - rest;
    row->constants = params->constants;
    if (whole > 0) {
        compute(row, params->output_zero_point, output, whole);
    }
    if (rest > 0) {
        compute(row, params->output_zero_point, row->rest, OUTPUTS);
        for (int32_t i = 0; i < rest; i++) {
            output[whole + i] = row->rest[i];
        }
    }
}

TN_KERNEL void tn_fully_connected_in_words(const tn_conv_1x1_params *params, const int8_t *restrict input,
                                           int8_t *restrict output, int8_t *restrict scratch)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->gemm.output_channels;
    const int8_t *from = input;
    int8_t *to = output;
    uint32_t *const column = (uint32_t *)(void *)scratch;
    uint32_t *end = column + inputs;
    input_row row;
    for (int32_t i = -inputs & (INPUTS - 1); i > 0; i--) {
        *end++ = 0;
    }
    row.column = column;
    row.end = end;
    row.general = params->gemm.general;
    for (int32_t r = params->pixels; r > 0; r--) {
        begin(&row, column, from, inputs);
        outputs_of(&row, &params->gemm, to);
        from += inputs;
        to += outputs;
    }
    tn_clamp_outputs(output, params->pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}
