/* SPDX-License-Identifier: Apache-2.0
 *
 * The heart of the dense convolutions on Armv6-M: four columns against all output channels.
 *
 * A column is what one output pixel sees of the input, in the input's order, each row of the window padded to whole pairs of
 * elements. Four columns are packed two by two, columns 0 and 2 in one plane, 1 and 3 in the other: the word of an element is the
 * number first + (second << 16). Four words hold a pair of elements: both of the first plane, then both of the second.
 *
 * One multiplication of such a word by a weight gives the products of two columns. The sum P of two of them, for a pair of
 * elements, still has both sums in its halves, since |x * w + x' * w'| <= 128 * 255 < 2^15 unless both weights are -128 (the code
 * generator marks such a layer as `general`). What the halves add up to over a column, as numbers of 32 bits, follows from
 *     T = sum of P, modulo 2^32, and
 *     second = sum of floor(P / 2^16) + (bit 15 of P), where the bit is set if the lower half is negative,
 * as first = T - (second << 16). Shifting P right leaves that bit in the carry, and ADCS adds it.
 *
 * The constants of a layer are one stream of words, in blocks of eight output channels and a last one of what is left over. Of
 * a block of n channels: for each pair of elements n pairs of bytes, the weights of one channel after the other, padded
 * to a whole word; then three words for each channel: its bias, the input's zero point folded in; its multiplier; and
 * (2 * (zero_point + 128) + 1) << 8 with the complement of its shift in the lowest byte.
 */
#ifndef TINYNAS_PACKED_TILES_H
#define TINYNAS_PACKED_TILES_H

#include <stdint.h>

#include "tinynas/kernels.h"

enum { TN_PACKED_COLUMNS = 4, TN_PLANE_WORDS = 2, TN_PAIR_WORDS = 2 * TN_PLANE_WORDS };

/* `step` is the distance between the outputs of two columns: the output channels, or 0 where all four are the same. */
void tn_packed_tiles(const tn_dot_params *params, const uint32_t *columns, int8_t *output, int32_t step);

/* Packs `count` elements of two columns into a plane; an odd last one is paired with zero. Returns the plane's next word. */
uint32_t *tn_pack_columns(uint32_t *plane, const int8_t *first, const int8_t *second, int32_t count);

#endif
