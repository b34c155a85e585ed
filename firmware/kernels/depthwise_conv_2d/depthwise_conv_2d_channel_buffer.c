/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer.h"

#if TN_DSP

/* Two neighbours at a time share every pair of weights that is loaded. The last of an odd number of outputs is computed
 * with a neighbour that goes to the same address. Words of input may lie at any halfword. */
static TN_KERNEL void fast_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    const tn_channel_buffer_params *const params = channel->params;
    const int32_t pairs = params->row_words;
    const int32_t stride = params->stride_width;
    const int32_t doubled_bias = channel->bias * 2;
    const int32_t half = ~channel->shift;
    const int32_t rounding = (2 * params->output_zero_point + 1) * (1 << half);
    for (int32_t x = params->output_width; x > 0; x -= 2) {
        const int16_t *window = row;
        const uint32_t *weight = channel->weights;
        const int32_t apart = x > 1 ? params->output_step : 0;
        int32_t first = 0;
        int32_t second = 0;
        for (int32_t y = params->kernel_height; y > 0; y--) {
            const int16_t *tap = window;
            for (int32_t i = pairs; i > 0; i--) {
                const uint32_t w = *weight++;
                first = tn_gemm_pair(tn_load_word(tap), w, first);
                second = tn_gemm_pair(tn_load_word(tap + stride), w, second);
                tap += 2;
            }
            window += params->buffer_width;
        }
        first = first * 2 + doubled_bias;
        second = second * 2 + doubled_bias;
        output[apart] = (int8_t)tn_requantize_doubled(second, channel->multiplier, rounding, half);
        output[0] = (int8_t)tn_requantize_doubled(first, channel->multiplier, rounding, half);
        output += 2 * apart;
        row += 2 * stride;
    }
}

#else

#define fast_row tn_buffered_any_row

#endif

TN_KERNEL void tn_depthwise_conv_2d_channel_buffer(const tn_channel_buffer_params *params, const int8_t *input,
                                           int8_t *output, int8_t *restrict scratch)
{
    tn_channel_buffers(params, input, output, scratch, fast_row);
}
