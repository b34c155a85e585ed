/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/depthwise_plane.h"

TN_KERNEL void tn_clear_plane(const tn_depthwise_planar_params *params, int16_t *plane)
{
    const uint32_t pair = ((uint32_t)params->input_zero_point & 0xFFFFu) * 0x10001u;
    uint32_t *word = (uint32_t *)(void *)plane;
    for (int32_t i = params->plane_height * (params->plane_width / 2); i > 0; i--) {
        *word++ = pair;
    }
}

TN_KERNEL void tn_gather_plane(const tn_depthwise_planar_params *params, const int8_t *input, int16_t *plane)
{
    const int32_t step = params->input_step;
    const int32_t width = params->input_width;
    int16_t *row = plane + params->padding_top * params->plane_width + params->padding_left;
    for (int32_t y = params->input_height; y > 0; y--) {
        const int8_t *from = input;
        int16_t *to = row;
        for (int32_t x = width >> 2; x > 0; x--) {
            to[0] = from[0];
            to[1] = from[step];
            from += 2 * step;
            to[2] = from[0];
            to[3] = from[step];
            from += 2 * step;
            to += 4;
        }
        for (int32_t x = width & 3; x > 0; x--) {
            *to++ = *from;
            from += step;
        }
        row += params->plane_width;
        input += params->input_row_step;
    }
}
