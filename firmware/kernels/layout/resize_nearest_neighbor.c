/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

/* TFLite finds the source pixels in floating point; the generator does that and hands over their indices. */
TN_KERNEL void tn_resize_nearest_neighbor(const tn_resize_nearest_neighbor_params *params,
                                          const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t channels = params->channels;
    for (int32_t y = 0; y < params->output_height; y++) {
        const int32_t row = params->rows[y] * params->input_width;
        for (int32_t x = 0; x < params->output_width; x++) {
            const int8_t *source = input + (row + params->columns[x]) * channels;
            for (int32_t c = channels; c > 0; c--) {
                *output++ = *source++;
            }
        }
    }
}
