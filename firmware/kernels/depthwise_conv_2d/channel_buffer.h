/* SPDX-License-Identifier: Apache-2.0
 *
 * What the depthwise kernels with a channel buffer share. A channel at a time is gathered into scratch as int16, between
 * borders of the zero point that stay from channel to channel. From then on nothing reads that channel of the input, so
 * its results may take its place: a result is written where some pixel of the input has the same channel, and there are
 * no more results than input pixels. Neighbours in a row are then neighbours in memory, two to a word: what SMLAD
 * wants.
 */
#ifndef TINYNAS_CHANNEL_BUFFER_H
#define TINYNAS_CHANNEL_BUFFER_H

#include "../arithmetic/dsp.h"
#include "depthwise_conv_2d.h"

/* A word on its way to a floating-point register. */
typedef union {
    uint32_t word;
    float parked;
} tn_parked_word;

/* One channel, and what all rows of its output have in common. */
typedef struct {
    const tn_channel_buffer_params *params;
    const int8_t *taps; /* the weights */
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
#if TN_DSP_CORE
    const uint32_t *weights; /* the weights in pairs */
    /* The operands of the short requantization, and the step between outputs. */
    tn_parked_word doubled_bias;
    tn_parked_word parked_multiplier;
    tn_parked_word rounding;
    tn_parked_word half;
    tn_parked_word apart;
#endif
} tn_buffered_channel;

/* Computes one row of a channel's output; `row` of the buffer holds its first taps. */
typedef void tn_buffered_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output);

/* Any window and multiplier, in portable C. */
void tn_buffered_any_row(const tn_buffered_channel *channel, const int16_t *row, int8_t *output);

/* Fills the buffer with the input's zero point, once for all channels. */
void tn_clear_buffer(const tn_channel_buffer_params *params, int16_t *buffer);

/* Copies the channel that starts at `input` into the buffer. */
void tn_gather_channel(const tn_channel_buffer_params *params, const int8_t *input, int16_t *buffer);

/* Reads one channel of the constants; returns those of the next. `weights` has room for it as pairs. */
const uint32_t *tn_unpack_channel(tn_buffered_channel *channel, const uint32_t *constants, uint32_t *weights);

/* Clamps all outputs where the activation is narrower than int8. */
void tn_clamp_buffered(const tn_channel_buffer_params *params, int8_t *output);

/* The kernel around the computation of a row. */
static inline __attribute__((always_inline)) void tn_channel_buffers(const tn_channel_buffer_params *params,
                                                                      const int8_t *input, int8_t *output,
                                                                      int8_t *scratch, tn_buffered_row *fast_row)
{
    uint32_t *const weights = (uint32_t *)(void *)scratch;
    int16_t *const buffer = (int16_t *)(void *)(weights + params->kernel_height * params->row_words);
    const int32_t down = params->stride_height * params->buffer_width;
    const uint32_t *constants = params->constants;
    tn_buffered_channel channel;
    channel.params = params;
    tn_clear_buffer(params, buffer);
    for (int32_t c = 0; c < params->channels; c++) {
        const int16_t *row = buffer;
        int8_t *result = output + c;
        constants = tn_unpack_channel(&channel, constants, weights);
        tn_gather_channel(params, input + c, buffer);
        for (int32_t y = params->output_height; y > 0; y--) {
            if (TN_DSP && params->general == 0) {
                fast_row(&channel, row, result);
            } else {
                tn_buffered_any_row(&channel, row, result);
            }
            row += down;
            result += params->output_row_step;
        }
    }
    tn_clamp_buffered(params, output);
}

#endif
