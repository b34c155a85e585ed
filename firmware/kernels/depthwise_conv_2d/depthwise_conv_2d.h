/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the depthwise convolutions.
 */
#ifndef TINYNAS_DEPTHWISE_CONV_2D_H
#define TINYNAS_DEPTHWISE_CONV_2D_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Depthwise convolution with depth multiplier 1, dilated or not, of at least four channels. Weights
 * [kernel_height][kernel_width][channels]. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
    uint16_t input_height;
    uint16_t input_width;
    uint16_t channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t dilation_height;
    uint16_t dilation_width;
    uint16_t padding_top;
    uint16_t padding_left;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
} tn_depthwise_conv_2d_params;

void tn_depthwise_conv_2d(const tn_depthwise_conv_2d_params *params, const int8_t *input, int8_t *output);

/* The same channel by channel, for any number of channels, without dilation. Works in place: an output that is not
 * larger may lie anywhere inside the input, a whole number of pixels from its start.
 *
 * Heights and widths are those of a channel's buffer in scratch: transposed, so that rows are long, where the output is
 * higher than wide. `constants` holds for each channel a bias, a multiplier, the weights in bytes, row by row, and the
 * complement of the shift in the next byte, in whole words. The biases have the zero point folded in:
 * bias - zero_point * sum(weights). `scratch` holds a channel's weights in pairs and the channel between borders of the
 * zero point: 4 * kernel_height * row_words + 2 * buffer_height * buffer_width bytes. */
typedef struct {
    const uint32_t *constants;
    int32_t input_step; /* bytes between neighbours of one channel in a row, and between rows */
    int32_t input_row_step;
    int32_t output_step;
    int32_t output_row_step;
    uint16_t channels;
    uint16_t input_height;
    uint16_t input_width;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t padding_top;
    uint16_t padding_left;
    uint16_t buffer_height; /* the padded input's rows and columns, as far as windows reach; columns are even */
    uint16_t buffer_width;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t general;    /* as in tn_gemm_params */
    uint8_t overlapped; /* 1: (w0 w1) (w2 w3) ... and then (w1 w2) (w3 w4) ...; 0: (w0 w1) ... (w4 0) */
    uint16_t row_words; /* pairs of weights that the kernel wants for each row of the window */
} tn_channel_buffer_params;

/* Any window and stride. */
void tn_depthwise_conv_2d_channel_buffer(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                 int8_t *scratch);
/* Windows of 3 x 3 with stride 1, and with a horizontal stride of 2. */
void tn_depthwise_conv_2d_3x3(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                              int8_t *scratch);
void tn_depthwise_conv_2d_3x3_stride_2(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                       int8_t *scratch);
/* Windows of 3 x 3 with a stride of 1 or 2, four channels at a time: there is a multiple of four of them. Padding is one row
 * or column at most on each side. Works in place: an output that is not larger may lie at either end of the input. The
 * buffer is not transposed, and its width may be odd. `constants` holds for each four channels the nine taps, each as
 * four bytes, then four times a bias and a multiplier, and the complements of the shifts in four bytes. `scratch` holds
 * 136 bytes and three rows of the buffer, four bytes for each column. */
void tn_depthwise_conv_2d_3x3_ch4(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                  int8_t *scratch);
void tn_depthwise_conv_2d_3x3_stride_2_ch4(const tn_channel_buffer_params *params, const int8_t *input,
                                             int8_t *output, int8_t *scratch);
/* Windows of any height, five or seven wide, with a horizontal stride of 1 or 2. */
void tn_depthwise_conv_2d_width_5(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                  int8_t *scratch);
void tn_depthwise_conv_2d_width_5_stride_2(const tn_channel_buffer_params *params, const int8_t *input,
                                           int8_t *output, int8_t *scratch);
void tn_depthwise_conv_2d_width_7(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                  int8_t *scratch);
void tn_depthwise_conv_2d_width_7_stride_2(const tn_channel_buffer_params *params, const int8_t *input,
                                           int8_t *output, int8_t *scratch);

/* What tn_depthwise_conv_2d_channel_buffer computes, for Armv6-M, any window and stride, and windows of 3 x 3. The
 * buffer is transposed where the output is wider than high, and has a word for two pixels half the output's rows apart
 * (channel_buffer_swar.h): `buffer_height` is what half of them, rounded up, need. `general` is set, too, where a sum
 * may exceed 2^20 or a weight is -128. `row_words` is how many weights the kernel reads for each row of the window.
 * `scratch` holds 76 + 4 * kernel_height * row_words bytes of constants and 4 * buffer_height * buffer_width bytes. */
void tn_depthwise_conv_2d_swar(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                      int8_t *scratch);
void tn_depthwise_conv_2d_swar_3x3(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output,
                                          int8_t *scratch);

#ifdef __cplusplus
}
#endif
#endif
