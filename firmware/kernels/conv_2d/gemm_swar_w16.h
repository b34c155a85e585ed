/* SPDX-License-Identifier: Apache-2.0
 *
 * The heart of the dense convolutions on Armv6-M that spend flash for speed: one column against all output channels,
 * four at a time.
 *
 * A column is what one output pixel sees of the input, in the input's order, a word for each element and one more where
 * their number is odd. The weights of two output channels share a word, W = w + (v << 16) as a number: one
 * multiplication by an element x gives both products. Sums come out of the halves as in gemm_swar.h, where columns
 * share words and weights stand alone.
 *
 * A sum becomes an output by a line (affine.h), with a drop or without. A layer with a channel that has none, or two
 * weights of -128 for elements side by side, has other kernels.
 *
 * The constants of a layer are packed in words, four channels after the other, zeros where channels are missing:
 *
 *     second, fourth     what the sums of the second and the fourth channel begin with
 *     both, both         first + (second << 16), third + (fourth << 16)
 *     weights            for each pair of elements the first two channels' W and W', then the other two channels'
 *     lines              for each channel five words
 */
#ifndef TINYNAS_GEMM_SWAR_W16_H
#define TINYNAS_GEMM_SWAR_W16_H

#include <stdint.h>

#include "conv_2d.h"

enum { TN_CHANNELS_AT_ONCE = 4 };

/* What is computed where; the assembly knows the offsets. */
typedef struct {
    uint32_t address;          /*  0: where the loop is entered */
    const uint32_t *end;       /*  4: of the column */
    const uint32_t *column;    /*  8 */
    const uint32_t *constants; /* 12: of the next four channels */
    int8_t *output;            /* 16: of these */
    const int8_t *last;        /* 20: behind the outputs of the last four */
    uint32_t skipped;          /* 24: bytes of code that the first round of the loop leaves out */
    const tn_gemm_params *params;
    int32_t whole; /* output channels of a pixel in fours, and those that are left over */
    int32_t over;
    int8_t rest[TN_CHANNELS_AT_ONCE]; /* the last four, where some of them are missing */
} tn_gemm_swar_w16;

/* Prepares for the columns of a layer, all of which will lie at `column`. */
void tn_gemm_swar_w16_begin(tn_gemm_swar_w16 *tiles, const tn_gemm_params *params, uint32_t *column);

/* Computes what the column gives: all output channels of a pixel. */
void tn_gemm_swar_w16_pixel(tn_gemm_swar_w16 *tiles, int8_t *output);

#endif
