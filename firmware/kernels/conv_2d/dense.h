/* SPDX-License-Identifier: Apache-2.0
 *
 * What the dense convolutions share, whatever form their weights have: columns, and the kernels around the tiles.
 */
#ifndef TINYNAS_DENSE_H
#define TINYNAS_DENSE_H

#include "../arithmetic/clamp_outputs.h"
#include "gemm_2x4.h"

/* Four pixels of `count` channels, `step` bytes apart, become four columns; one pixel becomes one, where `step` is 0. */
void tn_pixel_columns(uint32_t *columns, const int8_t *from, int32_t count, int32_t step);

/* The windows of `pixel` and its neighbours, in the order of the output, become four columns; its window alone becomes
 * one, where `several` is 0. Behind the columns there is room for a row of the window in bytes. */
void tn_window_columns(const tn_conv_2d_im2col_params *params, const int8_t *input, int32_t pixel, int32_t several,
                       uint32_t *columns);

/* The kernels around the tiles, which are a function for each form of the weights. */
typedef void tn_gemm_function(const tn_gemm_params *params, const uint32_t *columns, int8_t *output, int32_t step);

/* As tn_next_group, but a pixel that is left over alone is a group by itself. */
static inline int tn_next_group_or_pixel(tn_pixel_group *group)
{
    const int32_t next = group->pixel + TN_COLUMNS;
    if (group->several && next == group->last + TN_COLUMNS - 1) {
        const tn_pixel_group alone = {next, next, 1, 0};
        *group = alone;
        return 1;
    }
    return tn_next_group(group);
}

static inline __attribute__((always_inline)) void tn_convolve_pixels(const tn_conv_1x1_params *params,
                                                                     const int8_t *input, int8_t *output,
                                                                     int8_t *scratch, tn_gemm_function *dot)
{
    const int32_t inputs = params->input_channels;
    const int32_t outputs = params->gemm.output_channels;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    tn_pixel_group group = tn_first_group(params->pixels);
    do {
        tn_pixel_columns(columns, input + group.pixel * inputs, inputs, group.several * inputs);
        dot(&params->gemm, columns, output + group.pixel * outputs, group.several * outputs);
    } while (tn_next_group_or_pixel(&group));
    tn_clamp_outputs(output, params->pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}

static inline __attribute__((always_inline)) void tn_convolve_windows(const tn_conv_2d_im2col_params *params,
                                                                      const int8_t *input, int8_t *output,
                                                                      int8_t *scratch, tn_gemm_function *dot)
{
    const int32_t outputs = params->gemm.output_channels;
    const int32_t pixels = params->output_height * params->output_width;
    uint32_t *const columns = (uint32_t *)(void *)scratch;
    tn_pixel_group group = tn_first_group(pixels);
    do {
        tn_window_columns(params, input, group.pixel, group.several, columns);
        dot(&params->gemm, columns, output + group.pixel * outputs, group.several * outputs);
    } while (tn_next_group_or_pixel(&group));
    tn_clamp_outputs(output, pixels * outputs, params->gemm.activation_min, params->gemm.activation_max);
}

#endif
