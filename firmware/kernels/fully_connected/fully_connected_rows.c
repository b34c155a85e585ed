/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "fully_connected_tile.h"

/* Tiles are those of tn_fully_connected, and each has sums of its own: an output that is computed twice has two. */
TN_KERNEL void tn_fully_connected_rows(const tn_fully_connected_rows_params *params, const int8_t *restrict input,
                                       int8_t *restrict output, int8_t *restrict scratch)
{
    const tn_fully_connected_params *const layer = &params->layer;
    const int32_t outputs = layer->outputs;
    const int32_t next = outputs >= TN_OUTPUTS ? 1 : 0;
    const int32_t tile = next ? TN_OUTPUTS : 1;
    const tn_plain plain = tn_plain_of(layer);
    int32_t *const seen = (int32_t *)(void *)scratch;
    const int32_t first = params->begins ? 0 : *seen;
    int32_t *sums = seen + 1;
    for (int32_t o = 0; o < outputs; o += tile) {
        o = o < outputs - tile ? o : outputs - tile;
        if (params->begins) {
            const int32_t *const bias = layer->bias + o;
            sums[0] = bias[0];
            sums[1] = bias[next];
            sums[2] = bias[2 * next];
            sums[3] = bias[3 * next];
        }
        tn_add_products(input, layer->weights + o * layer->inputs + first, next * layer->inputs, params->inputs, sums);
        if (params->ends) {
            tn_finish_tile(layer, plain, o, next, sums, output);
        }
        sums += TN_OUTPUTS;
    }
    *seen = first + params->inputs;
    if (params->ends) {
        tn_clamp_outputs(output, outputs, layer->activation_min, layer->activation_max);
    }
}
