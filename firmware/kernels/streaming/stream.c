/* SPDX-License-Identifier: Apache-2.0 */
#include "advance.h"

typedef uint32_t __attribute__((may_alias)) word;

enum { WORD = 4 };

/* The output has grown beside the input: move it to where the next step expects it, words where it is whole words. Up
 * or down, it takes as many instructions. */
TN_KERNEL static void move_output(const int8_t *from, int8_t *to, int32_t bytes)
{
    const int32_t size = bytes % WORD == 0 ? WORD : 1;
    const int32_t last = bytes - size;
    const int32_t step = to < from ? size : -size;
    int32_t at = to < from ? 0 : last;
    if (size == WORD) {
        for (int32_t i = last; i >= 0; i -= WORD) {
            *(word *)(void *)(to + at) = *(const word *)(const void *)(from + at);
            at += step;
        }
        return;
    }
    for (int32_t i = last; i >= 0; i--) {
        to[at] = from[at];
        at += step;
    }
}

TN_KERNEL void tn_stream(const tn_stream_params *params)
{
    const tn_stream_segment *segment = &params->segment;
    const int32_t rows = segment->layers[0].rows_in_all;
    tn_stream_begin(segment);
    for (int32_t row = 1; row <= rows; row++) { /* as if they came one by one, so that no layer runs ahead */
        segment->states[0].written = (uint16_t)row;
        tn_stream_advance(segment);
    }
    move_output(segment->layers[segment->last].rows, params->output, (int32_t)params->output_bytes);
}
