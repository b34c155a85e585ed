/* SPDX-License-Identifier: Apache-2.0
 *
 * The heart of the dense convolutions: four columns against all output channels.
 *
 * A column is what one output pixel sees of the input, as int16, zero padding elements included. Four of them are
 * interleaved in pairs of elements: word 4 * j + p holds elements 2 * j and 2 * j + 1 of column p, as tn_pair does.
 * Elements are in the order in which `tn_expand` stores them: of each four bytes of input 0, 2, 1, 3, since one SXTB16
 * extends the even bytes of a word and another the odd ones.
 *
 * The constants of a layer are packed in words, read once from front to back for every four columns. For each tile
 * of two output channels: one word for each pair of elements, its bytes the first channel's weight of element 2 * j,
 * the second channel's, the first channel's of 2 * j + 1, the second channel's; for either channel twice its bias, the
 * input's zero point folded in, and its multiplier; and the complements of both shifts, in bytes 0 and 1. Where
 * `general` is set, the bias is not doubled. Of an odd number of channels the second is in the first two tiles, and
 * computed twice.
 *
 * Expanded weights take two words for each pair of elements: the first channel's weights of elements 2 * j and
 * 2 * j + 1 as halfwords, then the second channel's. All else is the same.
 */
#ifndef TINYNAS_GEMM_2X4_H
#define TINYNAS_GEMM_2X4_H

#include "../arithmetic/dsp.h"
#include "conv_2d.h"
#include "pixel_groups.h"

/* `step` is the distance between the outputs of two columns: the output channels; or 0 where there is one column, whose
 * words lie as far apart as those of four. */
void tn_gemm_2x4(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step);
void tn_gemm_2x4_w16(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step);

/* Stores what `count` elements left over of the last four, of which an odd one is paired with zero. Returns the
 * column's next word. */
static inline uint32_t *tn_expand_tail(uint32_t *column, const int8_t *from, int32_t count)
{
    if ((count & 2) != 0) {
        *column = tn_pair(from[0], from[1]);
        column += TN_COLUMNS;
        from += 2;
    }
    if ((count & 1) != 0) {
        *column = tn_pair(from[0], 0);
        column += TN_COLUMNS;
    }
    return column;
}

/* Appends `count` elements of input to one of four interleaved columns. Returns the column's next word. */
static inline uint32_t *tn_expand(uint32_t *column, const int8_t *from, int32_t count)
{
    for (int32_t i = count >> 2; i > 0; i--) {
#if TN_DSP
        const uint32_t word = tn_load_word(from);
        column[0] = tn_even_bytes(word);
        column[TN_COLUMNS] = tn_odd_bytes(word);
#else
        column[0] = tn_pair(from[0], from[2]);
        column[TN_COLUMNS] = tn_pair(from[1], from[3]);
#endif
        column += 2 * TN_COLUMNS;
        from += 4;
    }
    return tn_expand_tail(column, from, count);
}

#endif
