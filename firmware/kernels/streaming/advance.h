/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TINYNAS_STREAMING_ADVANCE_H
#define TINYNAS_STREAMING_ADVANCE_H

#include "streaming.h"

/* Before a segment's first row. */
void tn_stream_begin(const tn_stream_segment *segment);

/* Behind one more row of the input: call whatever layer has its operands and writes rows that a reader waits for, the
 * last such layer first, until there is none. */
void tn_stream_advance(const tn_stream_segment *segment);

/* Copy to lower addresses, or from elsewhere: four words at a time where both ends are words, else bytes. */
void tn_stream_move_down(int8_t *to, const int8_t *from, int32_t bytes);

static inline int32_t tn_stream_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t tn_stream_most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The first row of its operands that a layer's next call sees. */
static inline int32_t tn_stream_first_seen(const tn_streamed_layer *layer, const tn_streamed_state *state)
{
    const int32_t row = state->written * layer->stride - layer->padding;
    return row > 0 ? row : 0;
}

static inline int8_t *tn_stream_row_address(const tn_streamed_layer *layer, const tn_streamed_state *state, int32_t row)
{
    return layer->rows + (uint32_t)(row - state->first) * layer->row_bytes;
}

/* Let go of the rows of a layer's window that nothing reads any more, if `rows` more have no room otherwise. */
static inline void tn_stream_make_room(const tn_stream_segment *segment, int32_t index, int32_t rows)
{
    const tn_streamed_layer *layer = segment->layers + index;
    tn_streamed_state *state = segment->states + index;
    if (state->written + rows - state->first > layer->window_rows) {
        int32_t first = state->written; /* a stride may pass rows by that are not there yet */
        for (int32_t i = 0; i < 2; i++) {
            const int32_t reader = layer->reader[i];
            first = tn_stream_least(first, tn_stream_first_seen(segment->layers + reader, segment->states + reader));
        }
        tn_stream_move_down(layer->rows, tn_stream_row_address(layer, state, first),
                            (int32_t)((uint32_t)(state->written - first) * layer->row_bytes));
        state->first = (uint16_t)first;
    }
}

#endif
