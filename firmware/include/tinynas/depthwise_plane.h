/* SPDX-License-Identifier: Apache-2.0
 *
 * What the planar depthwise kernels share. One channel at a time, its plane is gathered into scratch as int16, between
 * borders of the zero point that stay from channel to channel. From then on nothing reads that channel of the input, so
 * its results may take its place: a result is written where some pixel of the input has the same channel, and there are no
 * more results than input pixels. Neighbours in a row are then neighbours in memory, two to a word: what SMLAD wants.
 */
#ifndef TINYNAS_DEPTHWISE_PLANE_H
#define TINYNAS_DEPTHWISE_PLANE_H

#include "tinynas/dsp.h"
#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"

/* Where the parts of the scratch lie. */
typedef struct {
    int32_t *sums;     /* of one row of outputs, rounded up to even */
    uint32_t *weights; /* kernel_height rows of pairs, an odd last one paired with zero */
    int16_t *plane;
} tn_plane_scratch;

/* The constants of one channel. */
typedef struct {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
} tn_channel;

static inline tn_plane_scratch tn_plane_layout(const tn_depthwise_planar_params *params, int8_t *scratch)
{
    tn_plane_scratch parts;
    parts.sums = (int32_t *)(void *)scratch;
    parts.weights = (uint32_t *)(void *)(parts.sums + ((params->output_width + 1) & ~1));
    parts.plane = (int16_t *)(void *)(parts.weights + params->kernel_height * ((params->kernel_width + 1) >> 1));
    return parts;
}

/* Fills the plane with the input's zero point, once for all channels. */
void tn_clear_plane(const tn_depthwise_planar_params *params, int16_t *plane);

/* Copies the channel that starts at `input` into the plane. */
void tn_gather_plane(const tn_depthwise_planar_params *params, const int8_t *input, int16_t *plane);

/* Reads one channel of the constants and stores its weights as pairs. Returns the next channel. */
static inline const uint32_t *tn_unpack_channel(const tn_depthwise_planar_params *params, const uint32_t *constants,
                                                uint32_t *weights, tn_channel *channel)
{
    const int32_t taps = params->kernel_height * params->kernel_width;
    const int8_t *tap = (const int8_t *)(constants + 2);
    channel->bias = (int32_t)constants[0];
    channel->multiplier = (int32_t)constants[1];
    channel->shift = ~(int32_t)tap[taps];
    for (int32_t y = params->kernel_height; y > 0; y--) {
        for (int32_t x = params->kernel_width; x > 0; x -= 2) {
            const int32_t second = x > 1 ? tap[1] : 0;
            *weights++ = ((uint32_t)tap[0] & 0xFFFFu) | ((uint32_t)second << 16);
            tap += x > 1 ? 2 : 1;
        }
    }
    return constants + 2 + (taps + 4) / 4;
}

/* Of a window of 3 x 3: (w0 w1), (w2 0) of each row become (w0 w1), (w1 w2). */
static inline void tn_overlap_weights(uint32_t *weights)
{
    for (int32_t y = 3; y > 0; y--) {
        weights[1] = (weights[0] >> 16) | (weights[1] << 16);
        weights += 2;
    }
}

/* Requantizes a row of sums. */
static inline void tn_requantize_row(const tn_depthwise_planar_params *params, const int32_t *sums,
                                     const tn_channel *channel, int8_t *output)
{
    const int32_t step = params->output_step;
    int32_t count = params->output_width;
    const int32_t multiplier = channel->multiplier;
#if TN_DSP
    if (params->general == 0) {
        const int32_t doubled_bias = channel->bias * 2;
        const int32_t half = ~channel->shift;
        const int32_t rounding = (2 * params->output_zero_point + 1) * (1 << half);
        for (; count > 1; count -= 2) {
            const int32_t first = sums[0] * 2 + doubled_bias;
            const int32_t second = sums[1] * 2 + doubled_bias;
            output[0] = (int8_t)tn_requantize_doubled(first, multiplier, rounding, half);
            output[step] = (int8_t)tn_requantize_doubled(second, multiplier, rounding, half);
            sums += 2;
            output += 2 * step;
        }
        if (count > 0) {
            output[0] = (int8_t)tn_requantize_doubled(sums[0] * 2 + doubled_bias, multiplier, rounding, half);
        }
        return;
    }
#endif
    for (; count > 0; count--) {
        const int32_t scaled =
            tn_multiply_by_quantized_multiplier(*sums++ + channel->bias, multiplier, channel->shift);
        *output = tn_clamp(scaled + params->output_zero_point, INT8_MIN, INT8_MAX);
        output += step;
    }
}

#endif
