/* SPDX-License-Identifier: Apache-2.0 */
#include "../arithmetic/clamp_outputs.h"
#include "fully_connected_tile.h"

/* Four outputs at a time share every input that is loaded. Of outputs that four do not divide, some of the last four
 * are computed twice; fewer than four are computed one by one, each four times: cheaper in flash than further loops. */
TN_KERNEL void tn_fully_connected(const tn_fully_connected_params *params, const int8_t *restrict input,
                                  int8_t *restrict output)
{
    const int32_t inputs = params->inputs;
    const int32_t outputs = params->outputs;
    const int32_t next = outputs >= TN_OUTPUTS ? 1 : 0;
    const int32_t tile = next ? TN_OUTPUTS : 1;
    const tn_plain plain = tn_plain_of(params);
    int8_t *to = output;
    for (int32_t row = params->rows; row > 0; row--) {
        for (int32_t o = 0; o < outputs; o += tile) {
            o = o < outputs - tile ? o : outputs - tile;
            const int32_t *const bias = params->bias + o;
            int32_t sums[TN_OUTPUTS] = {bias[0], bias[next], bias[2 * next], bias[3 * next]};
            tn_add_products(input, params->weights + o * inputs, next * inputs, inputs, sums);
            tn_finish_tile(params, plain, o, next, sums, to);
        }
        input += inputs;
        to += outputs;
    }
    tn_clamp_outputs(output, params->rows * outputs, params->activation_min, params->activation_max);
}
