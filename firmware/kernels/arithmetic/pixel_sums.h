/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of each channel over pixels that come a few at a time.
 */
#ifndef TINYNAS_PIXEL_SUMS_H
#define TINYNAS_PIXEL_SUMS_H

#include <stdint.h>

/* Adds some pixels, one at least, to the sums of their channels. Where they are the first, sums begin with `start`. */
static inline void tn_add_pixels(int32_t *sums, const int8_t *x, int32_t pixels, int32_t channels, int32_t begins,
                                 int32_t start)
{
    if (begins) {
        for (int32_t c = 0; c < channels; c++) {
            sums[c] = start + *x++;
        }
        pixels--;
    }
    for (; pixels > 0; pixels--) {
        for (int32_t c = 0; c < channels; c++) {
            sums[c] += *x++;
        }
    }
}

#endif
