/* SPDX-License-Identifier: Apache-2.0
 *
 * Four outputs at a time, whose weights lie in rows: products, and what becomes of their sums.
 */
#ifndef TINYNAS_FULLY_CONNECTED_TILE_H
#define TINYNAS_FULLY_CONNECTED_TILE_H

#include "fully_connected_sums.h"

enum { TN_OUTPUTS = 4 }; /* at a time */

/* Adds the products of some inputs with four rows of weights, `row` bytes apart, to `sums`. */
static inline void tn_add_products(const int8_t *x, const int8_t *w0, int32_t row, int32_t count,
                                   int32_t sums[TN_OUTPUTS])
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

/* Requantizes the sums of outputs `o`, `o + next` and so on. */
static inline void tn_finish_tile(const tn_fully_connected_params *params, tn_plain plain, int32_t o, int32_t next,
                                  const int32_t sums[TN_OUTPUTS], int8_t *to)
{
    if (plain.holds) {
        int8_t *const y = to + o;
        y[0] = tn_finish_plain(plain, sums[0]);
        y[next] = tn_finish_plain(plain, sums[1]);
        y[2 * next] = tn_finish_plain(plain, sums[2]);
        y[3 * next] = tn_finish_plain(plain, sums[3]);
    } else {
        for (int32_t i = 0; i < TN_OUTPUTS; i++) {
            const int32_t at = o + i * next;
            to[at] = tn_finish_any(params, at, sums[i]);
        }
    }
}

#endif
