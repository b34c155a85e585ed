/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"

static inline int8_t requantize(const tn_conv_1x1_params *params, int32_t accumulator, int32_t multiplier,
                                int32_t shift)
{
    const int32_t scaled = tn_multiply_by_quantized_multiplier(accumulator, multiplier, shift);
    return tn_clamp(scaled + params->output_zero_point, params->activation_min, params->activation_max);
}

/* Tiles of two pixels by two output channels: four MACs for four loads. Of an odd number of pixels or channels, the
 * last is computed twice: cheaper in flash than further loops. */
TN_KERNEL void tn_conv_1x1(const tn_conv_1x1_params *params, const int8_t *restrict input, int8_t *restrict output)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->output_channels;
    const int32_t last_pixel = params->pixels - 1;
    for (int32_t pixel = 0; pixel <= last_pixel; pixel += 2) {
        const int32_t next_pixel = pixel < last_pixel ? 1 : 0;
        const int8_t *restrict w = params->weights;
        int8_t *const y0 = output + pixel * outputs;
        int8_t *const y1 = y0 + next_pixel * outputs;
        for (int32_t o = 0; o < outputs; o += 2) {
            const int32_t second = o + 1 < outputs ? o + 1 : o;
            const int8_t *x0 = input + pixel * inputs;
            const int8_t *x1 = x0 + next_pixel * inputs;
            const int8_t *w0 = w + o * inputs;
            const int8_t *w1 = w + second * inputs;
            int32_t acc00 = params->bias[o];
            int32_t acc01 = params->bias[second];
            int32_t acc10 = acc00;
            int32_t acc11 = acc01;
            for (int32_t i = inputs; i > 0; i--) {
                const int32_t a0 = *x0++;
                const int32_t a1 = *x1++;
                const int32_t b0 = *w0++;
                const int32_t b1 = *w1++;
                acc00 += a0 * b0;
                acc01 += a0 * b1;
                acc10 += a1 * b0;
                acc11 += a1 * b1;
            }
            const int32_t multiplier0 = params->multiplier[o];
            const int32_t multiplier1 = params->multiplier[second];
            const int32_t shift0 = params->shift[o];
            const int32_t shift1 = params->shift[second];
            y0[o] = requantize(params, acc00, multiplier0, shift0);
            y0[second] = requantize(params, acc01, multiplier1, shift1);
            y1[o] = requantize(params, acc10, multiplier0, shift0);
            y1[second] = requantize(params, acc11, multiplier1, shift1);
        }
    }
}
