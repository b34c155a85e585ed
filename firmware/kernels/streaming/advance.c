/* SPDX-License-Identifier: Apache-2.0 */
#include "advance.h"

typedef uint32_t __attribute__((may_alias)) word;

enum { NEVER = 0xFFFF, MOST_ADDRESSES = 5, WORD = 4, UNROLLED_BYTES = 16 };

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Copy to lower addresses: four words at a time where both ends are words, else bytes. */
TN_KERNEL static void move_down(int8_t *to, const int8_t *from, int32_t bytes)
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

/* The first row of its operands that a layer's next call sees. */
static int32_t first_seen(const tn_streamed_layer *layer, const tn_streamed_state *state)
{
    const int32_t row = state->written * layer->stride - layer->padding;
    return row > 0 ? row : 0;
}

static int8_t *row_address(const tn_streamed_layer *layer, const tn_streamed_state *state, int32_t row)
{
    return layer->rows + (uint32_t)(row - state->first) * layer->row_bytes;
}

/* Let go of the rows of a layer's window that nothing reads any more, if `rows` more have no room otherwise. */
static void make_room(const tn_streamed_layer *layers, tn_streamed_state *states, int32_t index, int32_t rows)
{
    const tn_streamed_layer *layer = layers + index;
    tn_streamed_state *state = states + index;
    if (state->written + rows - state->first > layer->window_rows) {
        int32_t first = state->written; /* a stride may pass rows by that are not there yet */
        for (int32_t i = 0; i < 2; i++) {
            first = least(first, first_seen(layers + layer->reader[i], states + layer->reader[i]));
        }
        move_down(layer->rows, row_address(layer, state, first),
                  (int32_t)((uint32_t)(state->written - first) * layer->row_bytes));
        state->first = (uint16_t)first;
    }
}

/* The rows of its operands that must be there for a layer's next call. */
static int32_t needed(const tn_streamed_layer *layer, const tn_streamed_layer *operand, int32_t written)
{
    const int32_t rows = least(layer->rows_per_call, layer->rows_in_all - written);
    return least((written + rows - 1) * layer->stride - layer->padding + layer->extent, operand->rows_in_all);
}

static void call(const tn_streamed_layer *layers, tn_streamed_state *states, int32_t index)
{
    const tn_streamed_layer *layer = layers + index;
    tn_streamed_state *state = states + index;
    const int32_t rows = least(layer->rows_per_call, layer->rows_in_all - state->written);
    const int32_t behind = layer->calls - state->calls;
    const int32_t structure = behind <= layer->last_structures
                                  ? layer->structures - behind
                                  : least(state->calls, layer->first_structures - 1);
    const int32_t row = first_seen(layer, state);
    tn_address addresses[MOST_ADDRESSES];
    tn_address *next = addresses;
    make_room(layers, states, index, rows);
    next++->constant = (const int8_t *)layer->parameters + structure * layer->parameter_bytes;
    for (int32_t i = 0; i < layer->operands; i++) {
        const int32_t operand = layer->operand[i];
        next++->arena = row_address(layers + operand, states + operand, row);
    }
    next++->arena = row_address(layer, state, state->written);
    next->arena = layer->scratch;
    (void)layer->call(addresses);
    state->written = (uint16_t)(state->written + rows);
    state->calls++;
    state->needed =
        (uint16_t)(behind == 1 ? NEVER : needed(layer, layers + layer->operand[0], state->written));
}

TN_KERNEL void tn_stream_advance(const tn_stream_params *params)
{
    const tn_streamed_layer *layers = params->layers;
    tn_streamed_state *states = params->states;
    int32_t index = layers[0].reader[1];
    while (index > 0) {
        const tn_streamed_layer *layer = layers + index;
        const int32_t rows = least(states[layer->operand[0]].written, states[layer->operand[1]].written);
        if (states[index].needed > rows) {
            index--;
        } else {
            call(layers, states, index);
            index = layer->reader[1]; /* of the layers behind it, no other one has more than before */
        }
    }
}

TN_KERNEL void tn_stream_begin(const tn_stream_params *params)
{
    for (int32_t i = params->last; i >= 0; i--) {
        const tn_streamed_layer *layer = params->layers + i;
        const tn_streamed_state state = {0, 0, 0, (uint16_t)needed(layer, params->layers + layer->operand[0], 0)};
        params->states[i] = state;
    }
}
