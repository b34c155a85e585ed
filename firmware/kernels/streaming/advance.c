/* SPDX-License-Identifier: Apache-2.0 */
#include "advance.h"

typedef uint32_t __attribute__((may_alias)) word;

enum { NEVER = 0xFFFF, MOST_ADDRESSES = 5, WORD = 4, UNROLLED_BYTES = 16 };

TN_KERNEL void tn_stream_move_down(int8_t *to, const int8_t *from, int32_t bytes)
{
    if ((((uintptr_t)to | (uintptr_t)from | (uintptr_t)bytes) % WORD) == 0) {
        word *y = (word *)(void *)to;
        const word *x = (const word *)(const void *)from;
        for (; bytes >= UNROLLED_BYTES; bytes -= UNROLLED_BYTES) {
            const word a = x[0];
            const word b = x[1];
            const word c = x[2];
            const word d = x[3];
            y[0] = a;
            y[1] = b;
            y[2] = c;
            y[3] = d;
            x += 4;
            y += 4;
        }
        for (; bytes > 0; bytes -= WORD) {
            *y++ = *x++;
        }
        return;
    }
    for (; bytes > 0; bytes--) {
        *to++ = *from++;
    }
}

/* The rows of its operands that must be there for a layer's next call: one where all that it writes is padding. */
static int32_t needed(const tn_streamed_layer *layer, const tn_streamed_layer *operand, int32_t written)
{
    const int32_t rows = tn_stream_least(layer->rows_per_call, layer->rows_in_all - written);
    const int32_t end = (written + rows - 1) * layer->stride - layer->padding + layer->extent;
    return end > 1 ? tn_stream_least(end, operand->rows_in_all) : 1;
}

static void call(const tn_stream_segment *segment, int32_t index)
{
    const tn_streamed_layer *layers = segment->layers;
    const tn_streamed_layer *layer = layers + index;
    tn_streamed_state *states = segment->states;
    tn_streamed_state *state = states + index;
    const int32_t rows = tn_stream_least(layer->rows_per_call, layer->rows_in_all - state->written);
    const int32_t behind = layer->calls - state->calls;
    const int32_t structure = behind <= layer->last_structures
                                  ? layer->structures - behind
                                  : tn_stream_least(state->calls, layer->first_structures - 1);
    const int32_t row = tn_stream_first_seen(layer, state);
    tn_address addresses[MOST_ADDRESSES];
    tn_address *next = addresses;
    tn_stream_make_room(segment, index, rows);
    next++->constant = (const int8_t *)layer->parameters + structure * layer->parameter_bytes;
    for (int32_t i = 0; i < layer->operands; i++) {
        const int32_t operand = layer->operand[i];
        next++->arena = tn_stream_row_address(layers + operand, states + operand, row);
    }
    next++->arena = tn_stream_row_address(layer, state, state->written);
    next->arena = layer->scratch;
    (void)layer->call(addresses);
    state->written = (uint16_t)(state->written + rows);
    state->calls++;
    state->needed =
        (uint16_t)(behind == 1 ? NEVER : needed(layer, layers + layer->operand[0], state->written));
}

TN_KERNEL void tn_stream_advance(const tn_stream_segment *segment)
{
    const tn_streamed_layer *layers = segment->layers;
    const tn_streamed_state *states = segment->states;
    int32_t index = layers[0].reader[1];
    while (index > 0) {
        const tn_streamed_layer *layer = layers + index;
        const int32_t rows = tn_stream_least(states[layer->operand[0]].written, states[layer->operand[1]].written);
        const int32_t wanted = tn_stream_most(states[layer->reader[0]].needed, states[layer->reader[1]].needed);
        /* One condition, so that looking takes as many instructions whatever holds. */
        if (((rows - states[index].needed) | (wanted - states[index].written - 1)) < 0) {
            index--;
        } else {
            call(segment, index);
            index = layer->reader[1]; /* of the layers behind it, no other one has more than before */
        }
    }
}

TN_KERNEL void tn_stream_begin(const tn_stream_segment *segment)
{
    for (int32_t i = (int32_t)segment->last; i >= 0; i--) {
        const tn_streamed_layer *layer = segment->layers + i;
        const tn_streamed_state state = {0, 0, 0, (uint16_t)needed(layer, segment->layers + layer->operand[0], 0)};
        segment->states[i] = state;
    }
    segment->states[0].needed = NEVER;
}
