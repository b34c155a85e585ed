/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "fully_connected_sums.h"

enum { OUTPUTS = 4, QUAD = 4 }; /* at a time */

/* What all outputs have in common. */
typedef struct {
    const tn_fully_connected_params *params;
    const int8_t *input;
    int32_t quads; /* words of input */
    tn_plain plain;
} layer;

/* Not inlined: many places call it, all of them slow. */
static TN_KERNEL int8_t finish_any(const tn_fully_connected_params *params, int32_t output, int32_t sum)
{
    return tn_finish_any(params, output, sum);
}

/* Adds the products of `quads` words of input and of the weights of two outputs, `step` words apart. */
static inline void add_products(const int8_t *x, const uint32_t *first, const uint32_t *second, int32_t step,
                                int32_t quads, int32_t sums[2])
{
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    for (; quads > 0; quads--) {
#if TN_DSP
        const uint32_t values = tn_load_word(x);
        const uint32_t even = tn_even_bytes(values);
        const uint32_t odd = tn_odd_bytes(values);
        sum0 = tn_gemm_pair(even, tn_even_bytes(*first), sum0);
        sum1 = tn_gemm_pair(even, tn_even_bytes(*second), sum1);
        sum0 = tn_gemm_pair(odd, tn_odd_bytes(*first), sum0);
        sum1 = tn_gemm_pair(odd, tn_odd_bytes(*second), sum1);
#else
        const int8_t *const w0 = (const int8_t *)first;
        const int8_t *const w1 = (const int8_t *)second;
        sum0 += x[0] * w0[0] + x[1] * w0[1] + x[2] * w0[2] + x[3] * w0[3];
        sum1 += x[0] * w1[0] + x[1] * w1[1] + x[2] * w1[2] + x[3] * w1[3];
#endif
        x += QUAD;
        first += step;
        second += step;
    }
    sums[0] = sum0;
    sums[1] = sum1;
}

#if TN_DSP

/* Four inputs in one word, whose even and odd bytes meet those of a word of weights for each output: sixteen MACs in 20
 * instructions, and two for the loop, which is entered in the middle where an odd number of words is left. */
#define OUTPUT(sum, word)                                                                                              \
    "sxtb16 %[t], " word ", ror #8\n\t"                                                                                \
    "sxtb16 " word ", " word "\n\t"                                                                                    \
    "smlad  %[" #sum "], %[t], %[xb], %[" #sum "]\n\t"                                                                 \
    "smlad  %[" #sum "], " word ", %[xa], %[" #sum "]\n\t"
#define FOUR_INPUTS                                                                                                    \
    "ldr    %[xa], [%[x]], #4\n\t"                                                                                     \
    "ldmia  %[w]!, {r0, r1, r2, r3}\n\t"                                                                               \
    "sxtb16 %[xb], %[xa], ror #8\n\t"                                                                                  \
    "sxtb16 %[xa], %[xa]\n\t" OUTPUT(sum0, "r0") OUTPUT(sum1, "r1") OUTPUT(sum2, "r2") OUTPUT(sum3, "r3")

#endif

/* Four outputs, the first of them `output`; returns the weights of the next. Not inlined: the loop needs all
 * registers. */
static TN_KERNEL const uint32_t *four_outputs(const layer *l, const uint32_t *w, int32_t output, int8_t *y)
{
    const int32_t *const bias = l->params->bias + output;
    const int8_t *x = l->input;
    int32_t quads = l->quads;
    int32_t sum0 = bias[0];
    int32_t sum1 = bias[1];
    int32_t sum2 = bias[2];
    int32_t sum3 = bias[3];
#if TN_DSP
    uint32_t xa, xb, t;
    __asm__ volatile("lsls   %[t], %[quads], #31\n\t"
                     "add    %[quads], %[quads], #1\n\t"
                     "lsr    %[quads], %[quads], #1\n\t"
                     "bne.w  2f\n" /* odd */
                     "1:\n\t" FOUR_INPUTS "2:\n\t" FOUR_INPUTS
                     "subs   %[quads], %[quads], #1\n\t"
                     "bne.w  1b"
                     : [x] "+r"(x), [w] "+r"(w), [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2),
                       [sum3] "+r"(sum3), [quads] "+r"(quads), [xa] "=&r"(xa), [xb] "=&r"(xb), [t] "=&r"(t)
                     :
                     : "r0", "r1", "r2", "r3", "cc", "memory");
#else
    int32_t sums[OUTPUTS] = {sum0, sum1, sum2, sum3};
    add_products(x, w, w + 1, OUTPUTS, quads, sums);
    add_products(x, w + 2, w + 3, OUTPUTS, quads, sums + 2);
    sum0 = sums[0];
    sum1 = sums[1];
    sum2 = sums[2];
    sum3 = sums[3];
    w += OUTPUTS * quads;
#endif
    if (l->plain.holds) {
        const tn_plain plain = l->plain;
        y[0] = tn_finish_plain(plain, sum0);
        y[1] = tn_finish_plain(plain, sum1);
        y[2] = tn_finish_plain(plain, sum2);
        y[3] = tn_finish_plain(plain, sum3);
    } else {
        y[0] = finish_any(l->params, output, sum0);
        y[1] = finish_any(l->params, output + 1, sum1);
        y[2] = finish_any(l->params, output + 2, sum2);
        y[3] = finish_any(l->params, output + 3, sum3);
    }
    return w;
}

/* Outputs four at a time; those that four leave over two at a time, of which an odd one is computed twice. */
TN_KERNEL void tn_fully_connected_in_fours(const tn_fully_connected_params *params, const int8_t *input, int8_t *output)
{
    const int32_t outputs = params->outputs;
    const int32_t others = outputs & (OUTPUTS - 1);
    layer l = {params, input, params->inputs >> 2, tn_plain_of(params)};
    int8_t *y = output;
    for (int32_t row = params->rows; row > 0; row--) {
        const uint32_t *w = (const uint32_t *)(const void *)params->weights;
        int32_t o = 0;
        for (; o < outputs - others; o += OUTPUTS) {
            w = four_outputs(&l, w, o, y + o);
        }
        for (; o < outputs; o += 2) {
            const int32_t next = o + 1 < outputs ? 1 : 0;
            int32_t sums[2] = {params->bias[o], params->bias[o + next]};
            add_products(l.input, w, w + next, others, l.quads, sums);
            y[o] = l.plain.holds ? tn_finish_plain(l.plain, sums[0]) : finish_any(params, o, sums[0]);
            y[o + next] = l.plain.holds ? tn_finish_plain(l.plain, sums[1]) : finish_any(params, o + next, sums[1]);
            w += 2;
        }
        l.input += params->inputs;
        y += outputs;
    }
    tn_clamp_outputs(output, params->rows * outputs, params->activation_min, params->activation_max);
}
