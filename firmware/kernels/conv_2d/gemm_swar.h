/* SPDX-License-Identifier: Apache-2.0
 *
 * The heart of the dense convolutions on Armv6-M: four columns, or two, against all output channels.
 *
 * A column is what one output pixel sees of the input, in the input's order, each row of the window padded to whole
 * pairs of elements. Four columns are packed two by two, columns 0 and 2 in one plane, 1 and 3 in the other: an element
 * x of the first and y of the second become the number X = x + (y << 16). One multiplication by a weight gives both
 * products, and the sum of two,
 *     P = X * w + X' * w' = p + (q << 16) with p = x * w + x' * w' and q = y * w + y' * w',
 * still has p and q in its halves: they are below 2^15 in magnitude unless both weights are -128, for which the code
 * generator marks a layer as `general`. What p and q add up to over a column follows from the sum of all P modulo 2^32,
 * T:
 *     sum(q) = sum of floor(P / 2^16) + (bit 15 of P), the bit that is set where p is negative,
 *     sum(p) = T - (sum(q) << 16).
 * Shifting P right leaves that bit in the carry, and ADCS adds it.
 *
 * Four words of columns hold a pair of elements: X and X' of the first plane, then of the second. Two columns are the
 * first plane alone, with the second one's words left as they are.
 *
 * The constants of a layer are packed in words. First the weights in blocks of eight output channels, and a last
 * one of what is left over: of a block of n channels, for each element the n weights, padding elements included. All of
 * them together are padded to whole words. Then three words for each channel: its bias, the input's zero point folded
 * in; its multiplier; and (2 * (zero_point + 128) + 1) << 8 with the complement of its shift in the lowest byte.
 */
#ifndef TINYNAS_GEMM_SWAR_H
#define TINYNAS_GEMM_SWAR_H

#include <stdint.h>

#include "conv_2d.h"
#include "pixel_groups.h"

enum { TN_PLANE_WORDS = 2, TN_PAIR_WORDS = 2 * TN_PLANE_WORDS };

/* Output pixels whose columns are computed together: four, which are two planes, or two. One that is alone in its layer
 * stands for two. */
typedef struct {
    int32_t pixel;  /* the first of them */
    int32_t planes; /* also how many pixels the second column of a plane is behind its first */
} tn_planes;

static inline tn_planes tn_first_planes(int32_t pixels)
{
    const tn_planes first = {0, pixels >= TN_COLUMNS ? 2 : 1};
    return first;
}

/* Whether there are further pixels, and their group: of those that fours leave over, three are two planes with the pixel
 * before them, one and two are one plane. */
static inline int tn_next_planes(tn_planes *group, int32_t pixels)
{
    group->pixel += 2 * group->planes;
    const int32_t left = pixels - group->pixel;
    if (left < TN_COLUMNS) {
        if (left <= 0) {
            return 0;
        }
        if (left < TN_COLUMNS - 1) {
            group->planes = 1;
        }
        group->pixel = pixels - 2 * group->planes;
    }
    return 1;
}

/* `step` is the distance between the outputs of two columns: the output channels, or 0 where both are the same. */
void tn_gemm_swar(const tn_gemm_params *params, const uint32_t *columns, int32_t planes, int8_t *output, int32_t step);

/* Packs `count` elements of two columns into a plane; an odd last one stands alone. Returns the plane's next word. */
uint32_t *tn_pack_columns(uint32_t *plane, const int8_t *first, const int8_t *second, int32_t count);

#endif
