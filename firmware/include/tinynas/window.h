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
    /* Division is a library call on Cortex-M0+, and dilations other than 1 are rare. */
    int32_t first = -origin;
    int32_t end = size - origin;
    if (dilation != 1) {
        first = (first + dilation - 1) / dilation;
        end = (end + dilation - 1) / dilation;
    }
    tn_taps inside;
    inside.first = first > 0 ? first : 0;
    inside.end = end < taps ? end : taps;
    return inside;
}

#endif
