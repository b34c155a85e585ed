/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the convolutions of whole images.
 */
#ifndef TINYNAS_CONV_2D_H
#define TINYNAS_CONV_2D_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the dense convolutions share; `gemm_2x4.h` has the layout of `constants`, and `gemm_swar.h` that for
 * Armv6-M. Each has a second kernel of the same parameters, whose weights take 16 bits. */
typedef struct {
    const uint32_t *constants; /* weights, biases and requantization, packed for the kernel */
    int32_t pairs;             /* pairs of elements in a column */
    uint16_t output_channels;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t general; /* 1: outside the limits of dsp.h, gemm_swar.h or affine.h; 2: affine with a drop (affine.h) */
    uint8_t skipped; /* what the pairs lack to whole rounds of the loop; for Armv6-M */
} tn_gemm_params;

/* 1x1 convolution with stride 1 and no padding, two output channels at least. `scratch` holds four columns: 16 bytes
 * for each pair of elements. */
typedef struct {
    tn_gemm_params gemm;
    int32_t pixels;
    uint16_t input_channels;
    uint16_t reserved;
} tn_conv_1x1_params;

void tn_conv_1x1(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M. */
void tn_conv_1x1_swar(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M; `scratch` holds one column (gemm_swar_w16.h): 8 bytes for each pair of elements. */
void tn_conv_1x1_swar_w16(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
void tn_conv_1x1_w16(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);

/* Convolution with any window, stride and padding, without groups and dilation, two output channels at least. Each row
 * of the window takes whole pairs of elements. `scratch` holds four columns, and behind them one row of the window as
 * bytes where the input channels are no multiple of four. */
typedef struct {
    tn_gemm_params gemm;
    uint16_t input_height;
    uint16_t input_width;
    uint16_t input_channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t padding_top;
    uint16_t padding_left;
    int16_t input_zero_point;
} tn_conv_2d_im2col_params;

void tn_conv_2d_im2col(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M. `scratch` holds four columns, and behind them two rows of the window as bytes where there is padding. */
void tn_conv_2d_swar(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M. The window as a whole takes whole pairs of elements; `scratch` holds one column. */
void tn_conv_2d_swar_w16(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
void tn_conv_2d_im2col_w16(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output,
                                int8_t *scratch);

/* Convolution with any window, stride, dilation, padding and number of groups.
 * Weights [outputs][kernel_height][kernel_width][input_channels / groups]. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    uint16_t input_height;
    uint16_t input_width;
    uint16_t input_channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t output_channels;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t dilation_height;
    uint16_t dilation_width;
    uint16_t padding_top;
    uint16_t padding_left;
    uint16_t groups;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
} tn_conv_2d_params;

void tn_conv_2d(const tn_conv_2d_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
