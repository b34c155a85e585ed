/* SPDX-License-Identifier: Apache-2.0 */
#include "dense.h"

TN_KERNEL void tn_pixel_columns(uint32_t *columns, const int8_t *from, int32_t count, int32_t step)
{
    if (step == 0) {
        (void)tn_expand(columns, from, count);
        return;
    }
    const int8_t *pixel0 = from;
    const int8_t *pixel1 = pixel0 + step;
    const int8_t *pixel2 = pixel1 + step;
    const int8_t *pixel3 = pixel2 + step;
    for (int32_t i = count >> 2; i > 0; i--) {
#if TN_DSP
        const uint32_t word0 = tn_load_word(pixel0);
        const uint32_t word1 = tn_load_word(pixel1);
        const uint32_t word2 = tn_load_word(pixel2);
        const uint32_t word3 = tn_load_word(pixel3);
        columns[0] = tn_even_bytes(word0);
        columns[1] = tn_even_bytes(word1);
        columns[2] = tn_even_bytes(word2);
        columns[3] = tn_even_bytes(word3);
        columns[4] = tn_odd_bytes(word0);
        columns[5] = tn_odd_bytes(word1);
        columns[6] = tn_odd_bytes(word2);
        columns[7] = tn_odd_bytes(word3);
#else
        columns[0] = tn_pair(pixel0[0], pixel0[2]);
        columns[1] = tn_pair(pixel1[0], pixel1[2]);
        columns[2] = tn_pair(pixel2[0], pixel2[2]);
        columns[3] = tn_pair(pixel3[0], pixel3[2]);
        columns[4] = tn_pair(pixel0[1], pixel0[3]);
        columns[5] = tn_pair(pixel1[1], pixel1[3]);
        columns[6] = tn_pair(pixel2[1], pixel2[3]);
        columns[7] = tn_pair(pixel3[1], pixel3[3]);
#endif
        columns += 2 * TN_COLUMNS;
        pixel0 += 4;
        pixel1 += 4;
        pixel2 += 4;
        pixel3 += 4;
    }
    if ((count & 3) != 0) {
        from += count & ~3;
        for (int32_t i = 0; i < TN_COLUMNS; i++) {
            (void)tn_expand_tail(columns + i, from, count);
            from += step;
        }
    }
}
