/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "fully_connected_sums.h"

enum { OUTPUTS = 4 };

/* Adds the products of one row of input with four rows of weights, `row` bytes apart, to `sums`. */
static inline void add_products(const int8_t *x, const int8_t *w0, int32_t row, int32_t count, int32_t sums[OUTPUTS])
{
    const int8_t *w1 = w0 + row;
    const int8_t *w2 = w1 + row;
    const int8_t *w3 = w2 + row;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
    int32_t sum2 = sums[2];
    int32_t sum3 = sums[3];
#if TN_DSP
    /* Four inputs in one word, whose even and odd bytes meet those of the weights: sixteen MACs in 23 instructions, and
     * two for the loop, which is entered in the middle where an odd number of words is left. Words may lie at any
     * address. */
#define ROW(sum, pointer)                                                                                              \
    "ldr    %[wa], [%[" #pointer "]], #4\n\t"                                                                          \
    "sxtb16 %[wb], %[wa], ror #8\n\t"                                                                                  \
    "sxtb16 %[wa], %[wa]\n\t"                                                                                          \
    "smlad  %[" #sum "], %[wb], %[xb], %[" #sum "]\n\t"                                                                \
    "smlad  %[" #sum "], %[wa], %[xa], %[" #sum "]\n\t"
#define QUAD                                                                                                           \
    "ldr    %[xa], [%[x]], #4\n\t"                                                                                     \
    "sxtb16 %[xb], %[xa], ror #8\n\t"                                                                                  \
    "sxtb16 %[xa], %[xa]\n\t" ROW(sum0, w0) ROW(sum1, w1) ROW(sum2, w2) ROW(sum3, w3)
    uint32_t quads = (uint32_t)count >> 2;
    uint32_t xa, xb, wa, wb;
    if (quads != 0) {
        __asm__ volatile("lsls   %[wa], %[quads], #31\n\t"
                         "add    %[quads], %[quads], #1\n\t"
                         "lsr    %[quads], %[quads], #1\n\t"
                         "bne.w  2f\n" /* odd */
                         "1:\n\t" QUAD "2:\n\t" QUAD
                         "subs   %[quads], %[quads], #1\n\t"
                         "bne.w  1b"
                         : [x] "+r"(x), [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3), [sum0] "+r"(sum0),
                           [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3), [quads] "+r"(quads),
                           [xa] "=&r"(xa), [xb] "=&r"(xb), [wa] "=&r"(wa), [wb] "=&r"(wb)
                         :
                         : "cc", "memory");
    }
    count &= 3;
#endif
    for (; count > 0; count--) {
        const int32_t value = *x++;
        sum0 += value * *w0++;
        sum1 += value * *w1++;
        sum2 += value * *w2++;
        sum3 += value * *w3++;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* Four outputs at a time share every input that is loaded. Of outputs that four do not divide, some of the last four
 * are computed twice; fewer than four are computed one by one, each four times: cheaper in flash than further loops. */
TN_KERNEL void tn_fully_connected(const tn_fully_connected_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t inputs = params->inputs;
    const int32_t outputs = params->outputs;
    const int32_t next = outputs >= OUTPUTS ? 1 : 0;
    const int32_t tile = next ? OUTPUTS : 1;
    const tn_plain plain = tn_plain_of(params);
    int8_t *to = output;
    for (int32_t row = params->rows; row > 0; row--) {
        for (int32_t o = 0; o < outputs; o += tile) {
            o = o < outputs - tile ? o : outputs - tile;
            const int32_t *const bias = params->bias + o;
            int32_t sums[OUTPUTS] = {bias[0], bias[next], bias[2 * next], bias[3 * next]};
            add_products(input, params->weights + o * inputs, next * inputs, inputs, sums);
            if (plain.holds) {
                int8_t *const y = to + o;
                y[0] = tn_finish_plain(plain, sums[0]);
                y[next] = tn_finish_plain(plain, sums[1]);
                y[2 * next] = tn_finish_plain(plain, sums[2]);
                y[3 * next] = tn_finish_plain(plain, sums[3]);
            } else {
                for (int32_t i = 0; i < OUTPUTS; i++) {
                    const int32_t at = o + i * next;
                    to[at] = tn_finish_any(params, at, sums[i]);
                }
            }
        }
        input += inputs;
        to += outputs;
    }
    tn_clamp_outputs(output, params->rows * outputs, params->activation_min, params->activation_max);
}
