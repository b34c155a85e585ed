/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer.h"

#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/fixed_point.h"

TN_KERNEL void tn_clear_buffer(const tn_channel_buffer_params *params, int16_t *buffer)
{
    const uint32_t pair = ((uint32_t)params->input_zero_point & 0xFFFFu) * 0x10001u;
    tn_word *word = (tn_word *)(void *)buffer;
    for (int32_t i = params->buffer_height * (params->buffer_width / 2); i > 0; i--) {
        *word++ = pair;
    }
}

TN_KERNEL void tn_gather_channel(const tn_channel_buffer_params *params, const int8_t *input, int16_t *buffer)
{
    const int32_t step = params->input_step;
    const int32_t width = params->input_width;
    int16_t *row = buffer + params->padding_top * params->buffer_width + params->padding_left;
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
        row += params->buffer_width;
        input += params->input_row_step;
    }
}

#if TN_DSP_CORE

/* The weights of a window as pairs, row by row. */
static inline void pair_weights(const tn_channel_buffer_params *params, const int8_t *tap, uint32_t *weights)
{
    const int32_t last = (params->kernel_width - 1) >> 1;
    for (int32_t y = params->kernel_height; y > 0; y--) {
        for (int32_t i = 0; i < last; i++) {
            weights[i] = tn_pair(tap[0], tap[1]);
            if (params->overlapped) {
                weights[last + i] = tn_pair(tap[1], tap[2]);
            }
            tap += 2;
        }
        if (params->overlapped) {
            tap++;
        } else {
            const int32_t two = (params->kernel_width & 1) == 0;
            weights[last] = tn_pair(tap[0], two ? tap[1] : 0);
            tap += two ? 2 : 1;
        }
        weights += params->row_words;
    }
}

#endif

/* NOLINTNEXTLINE(readability-non-const-parameter): written to where there are DSP instructions */
TN_KERNEL const uint32_t *tn_unpack_channel(tn_buffered_channel *channel, const uint32_t *constants, uint32_t *weights)
{
    const tn_channel_buffer_params *const params = channel->params;
    const int32_t taps = params->kernel_height * params->kernel_width;
    channel->bias = (int32_t)constants[0];
    channel->multiplier = (int32_t)constants[1];
    channel->taps = (const int8_t *)(constants + 2);
    channel->shift = ~(int32_t)channel->taps[taps];
#if TN_DSP_CORE
    if (params->general == 0) {
        const int32_t half = ~channel->shift;
        channel->doubled_bias.word = constants[0] * 2;
        channel->parked_multiplier.word = constants[1];
        channel->half.word = (uint32_t)half;
        channel->rounding.word = (uint32_t)(2 * params->output_zero_point + 1) << half;
        channel->apart.word = (uint32_t)params->output_step;
        channel->weights = weights;
        pair_weights(params, channel->taps, weights);
    }
#else
    (void)weights;
#endif
    return constants + 2 + (taps + 4) / 4;
}

TN_KERNEL void tn_buffered_any_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output)
{
    const tn_channel_buffer_params *const params = channel->params;
    const int32_t kernel_width = params->kernel_width;
    const int32_t width = params->buffer_width;
    for (int32_t x = params->output_width; x > 0; x--) {
        const int16_t *window = row;
        const int8_t *tap = channel->taps;
        int32_t sum = channel->bias;
        for (int32_t y = params->kernel_height; y > 0; y--) {
            int32_t i = kernel_width;
            const int16_t *value = window;
            for (; i >= 3; i -= 3) { /* most windows are three, five or seven wide */
                sum += value[0] * tap[0] + value[1] * tap[1] + value[2] * tap[2];
                value += 3;
                tap += 3;
            }
            for (; i > 0; i--) {
                sum += *value++ * *tap++;
            }
            window += width;
        }
        sum = tn_multiply_by_quantized_multiplier(sum, channel->multiplier, channel->shift);
        *output = tn_clamp(sum + params->output_zero_point, INT8_MIN, INT8_MAX);
        output += params->output_step;
        row += params->stride_width;
    }
}

TN_KERNEL void tn_clamp_buffered(const tn_channel_buffer_params *params, int8_t *output)
{
    tn_clamp_outputs(output, params->output_height * params->output_width * params->channels, params->activation_min,
                     params->activation_max);
}
