/* SPDX-License-Identifier: Apache-2.0
 *
 * Padding at both ends of a row of a window.
 */
#ifndef TINYNAS_ROW_PADDING_H
#define TINYNAS_ROW_PADDING_H

#include <stdint.h>

/* Elements on either side of what lies inside the input. */
typedef struct {
    int32_t before;
    int32_t after;
} tn_row_padding;

/* Of a row of `count` elements that starts at element `left` of `length`. */
static inline tn_row_padding tn_row_padding_of(int32_t left, int32_t count, int32_t length)
{
    const int32_t missing = left + count - length;
    tn_row_padding padding = {left < 0 ? -left : 0, missing > 0 ? missing : 0};
    padding.before = padding.before < count ? padding.before : count;
    padding.after = padding.after < count - padding.before ? padding.after : count - padding.before;
    return padding;
}

/* Fills `count` bytes and returns what is behind them. */
static inline int8_t *tn_fill(int8_t *bytes, int32_t value, int32_t count)
{
    for (int32_t i = count; i > 0; i--) {
        *bytes++ = (int8_t)value;
    }
    return bytes;
}

#endif
