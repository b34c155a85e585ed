/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a sliding window that lies inside the input. Kernels skip the taps outside: they contribute nothing,
 * since padding holds the zero point.
 */
#ifndef TINYNAS_WINDOW_H
#define TINYNAS_WINDOW_H

#include <stdint.h>

typedef struct {
    int32_t first; /* first tap inside */
    int32_t end;   /* one after the last tap inside; not above `first` if there is none */
} tn_taps;

/* Taps t in [0, taps) with 0 <= origin + t * dilation < size. */
static inline tn_taps tn_taps_inside(int32_t origin, int32_t size, int32_t taps, int32_t dilation)
{
    tn_taps inside = {0, taps};
    if (dilation == 1) {
        inside.first = origin < 0 ? -origin : 0;
        inside.end = size - origin < taps ? size - origin : taps;
        return inside;
    }
    /* Without a division, which is a call of the library on Cortex-M0+. */
    for (int32_t at = origin; at < 0 && inside.first < taps; at += dilation) {
        inside.first++;
    }
    for (int32_t at = origin + (taps - 1) * dilation; at >= size && inside.end > inside.first; at -= dilation) {
        inside.end--;
    }
    return inside;
}

#endif
