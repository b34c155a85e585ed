/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/clamp_outputs.h"
#include "tinynas/depthwise_plane.h"

#if TN_DSP

/* One row of the window for two neighbours x and x + 1: nine halfwords of input meet in two words, x0 x1 and x2 x3, and six
 * weights in w0 w1 and w1 w2, so that
 *     first  += x0 w0 + x1 w1 (SMLAD), + x2 w2 (SMLABT)
 *     second += x1 w0 (SMLATB), + x2 w1 + x3 w2 (SMLAD).
 * The pointer moves on by two halfwords: the second word is the first of the next two neighbours. */
#define FIRST_ROW(row, w01, w12)                                                                                       \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smuad  %[first], %[xa], %[" #w01 "]\n\t"                                                                          \
    "smultb %[second], %[xa], %[" #w01 "]\n\t"                                                                         \
    "smlabt %[first], %[xb], %[" #w12 "], %[first]\n\t"                                                                \
    "smlad  %[second], %[xb], %[" #w12 "], %[second]\n\t"
#define NEXT_ROW(row, w01, w12)                                                                                        \
    "ldrd   %[xa], %[xb], [%[" #row "]], #4\n\t"                                                                       \
    "smlad  %[first], %[xa], %[" #w01 "], %[first]\n\t"                                                                \
    "smlatb %[second], %[xa], %[" #w01 "], %[second]\n\t"                                                              \
    "smlabt %[first], %[xb], %[" #w12 "], %[first]\n\t"                                                                \
    "smlad  %[second], %[xb], %[" #w12 "], %[second]\n\t"

/* Not inlined: GCC finds no fourteen registers inside the loops of the kernel. */
static TN_KERNEL void sum_row(const int16_t *row, int32_t width, const uint32_t *weights, int32_t *sums, int32_t count)
{
    uint32_t w01a = weights[0];
    uint32_t w12a = weights[1];
    uint32_t w01b = weights[2];
    uint32_t w12b = weights[3];
    uint32_t w01c = weights[4];
    uint32_t w12c = weights[5];
    const int16_t *middle = row + width;
    const int16_t *bottom = middle + width;
    const float end = tn_park((uint32_t)(uintptr_t)(sums + count));
    uint32_t xa;
    uint32_t xb;
    int32_t first;
    int32_t second;
    __asm__ volatile("1:\n\t" FIRST_ROW(top, w01a, w12a) NEXT_ROW(middle, w01b, w12b) NEXT_ROW(bottom, w01c, w12c)
                     "vmov   %[xa], %[end]\n\t"
                     "strd   %[first], %[second], [%[sums]], #8\n\t"
                     "cmp    %[sums], %[xa]\n\t"
                     "blo.w  1b"
                     : [top] "+r"(row), [middle] "+r"(middle), [bottom] "+r"(bottom), [sums] "+r"(sums),
                       [xa] "=&r"(xa), [xb] "=&r"(xb), [first] "=&r"(first), [second] "=&r"(second),
                       [w01a] "+r"(w01a), [w12a] "+r"(w12a), [w01b] "+r"(w01b), [w12b] "+r"(w12b), [w01c] "+r"(w01c),
                       [w12c] "+r"(w12c)
                     : [end] "t"(end)
                     : "cc", "memory");
}

#else

static TN_KERNEL void sum_row(const int16_t *row, int32_t width, const uint32_t *weights, int32_t *sums, int32_t count)
{
    for (int32_t x = count; x > 0; x--) {
        const int16_t *tap = row;
        const int16_t *weight = (const int16_t *)weights;
        int32_t sum = 0;
        for (int32_t y = 3; y > 0; y--) {
            sum += tap[0] * weight[0] + tap[1] * weight[1] + tap[2] * weight[3];
            tap += width;
            weight += 4;
        }
        *sums++ = sum;
        row++;
    }
}

#endif

TN_KERNEL void tn_depthwise_conv_2d_3x3(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                        int8_t *restrict scratch)
{
    const int32_t channels = params->channels;
    const tn_plane_scratch parts = tn_plane_layout(params, scratch);
    const uint32_t *constants = params->constants;
    const int32_t pixels = params->output_height * params->output_width;
    tn_clear_plane(params, parts.plane);
    for (int32_t c = 0; c < channels; c++) {
        tn_channel channel;
        const int16_t *row = parts.plane;
        int8_t *result = output + c;
        constants = tn_unpack_channel(params, constants, parts.weights, &channel);
        tn_overlap_weights(parts.weights);
        tn_gather_plane(params, input + c, parts.plane);
        for (int32_t y = params->output_height; y > 0; y--) {
            sum_row(row, params->plane_width, parts.weights, parts.sums, params->output_width);
            tn_requantize_row(params, parts.sums, &channel, result);
            row += params->plane_width;
            result += params->output_row_step;
        }
    }
    tn_clamp_outputs(output, pixels * channels, params->activation_min, params->activation_max);
}
