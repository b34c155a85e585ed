/* SPDX-License-Identifier: Apache-2.0 */
#include "advance.h"

TN_KERNEL void tn_stream_rows_restart(const tn_stream_rows_params *params)
{
    *params->begun = 0;
}

TN_KERNEL int8_t *tn_stream_rows_place(const tn_stream_rows_params *params)
{
    const tn_streamed_layer *input = params->segment.layers;
    const tn_streamed_state *state = params->segment.states;
    return *params->begun == 0 ? input->rows : tn_stream_row_address(input, state, state->written);
}

TN_KERNEL int32_t tn_stream_rows(const tn_stream_rows_params *params, const int8_t *row)
{
    const tn_stream_segment *segment = &params->segment;
    const tn_streamed_layer *input = segment->layers;
    tn_streamed_state *state = segment->states;
    int32_t missing;
    if (*params->begun == 0) {
        tn_stream_begin(segment);
        *params->begun = 1;
    }
    tn_stream_move_down(tn_stream_row_address(input, state, state->written), row, (int32_t)input->row_bytes);
    state->written++;
    tn_stream_advance(segment);
    missing = input->rows_in_all - state->written;
    if (missing == 0) {
        *params->begun = 0;
    } else {
        tn_stream_make_room(segment, 0, 1); /* now, so that the next row has a place before it comes */
    }
    return missing;
}
