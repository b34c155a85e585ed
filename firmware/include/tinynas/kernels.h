/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of TinyNAS: the whole interface between generated models and the code that executes them.
 *
 * Every kernel reads and writes int8 activations in NHWC order, one image at a time, and equals TFLite's reference
 * kernel to the last bit. A kernel takes its parameters from a constant structure in flash, needs no heap, no
 * recursion and no state, and may be called from any context. Outputs must not overlap inputs, except where a kernel
 * says that it works in place.
 *
 * Quantization: real = scale * (q - zero_point). A factor is `multiplier * 2^(shift - 31)`.
 */
#ifndef TINYNAS_KERNELS_H
#define TINYNAS_KERNELS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kernels stay functions of their own, so that flash is a sum over kernels and profiles are readable. */
#define TN_KERNEL __attribute__((noinline))

/* Constant objects are aligned to a word, and generated with sizes in whole words. */
#define TN_CONSTANT __attribute__((aligned(4)))

/* Fully connected layer. Weights [outputs][inputs]. Like LiteRT's, and unlike all other kernels, it rounds once.
 * `bias` has the input's zero point folded in: bias[o] - zero_point * sum(weights[o]). */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *multiplier; /* one, or one per output */
    const int8_t *shift;
    int32_t rows;
    int32_t inputs;
    int32_t outputs;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t per_channel; /* 1: one multiplier per output; 0: one for all */
} tn_fully_connected_params;

void tn_fully_connected(const tn_fully_connected_params *params, const int8_t *input, int8_t *output);
/* The same for inputs in fours. Weights [outputs / 4][inputs / 4][4][4] in whole words: four outputs' weights of four
 * inputs lie together; the outputs that four leave over are the last [inputs / 4][outputs % 4][4]. */
void tn_fully_connected_in_fours(const tn_fully_connected_params *params, const int8_t *input, int8_t *output);

/* What the dense convolutions share; `dot_tiles.h` has the layout of `constants`, and `packed_tiles.h` that for
 * Armv6-M. Each has a second kernel of the same parameters, whose weights take 16 bits. */
typedef struct {
    const uint32_t *constants; /* weights, biases and requantization, packed for the kernel */
    int32_t pairs;             /* pairs of elements in a column */
    uint16_t output_channels;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t general; /* 1: outside the limits of dsp.h, packed_tiles.h or line.h; 2: lines with a drop (line.h) */
    uint8_t skipped; /* what the pairs lack to whole rounds of the loop; for Armv6-M */
} tn_dot_params;

/* 1x1 convolution with stride 1 and no padding, two output channels at least. `scratch` holds four columns: 16 bytes
 * for each pair of elements. */
typedef struct {
    tn_dot_params dot;
    int32_t pixels;
    uint16_t input_channels;
    uint16_t reserved;
} tn_conv_1x1_params;

void tn_conv_1x1(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M. */
void tn_conv_1x1_packed(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M; `scratch` holds one column (paired_tiles.h): 8 bytes for each pair of elements. */
void tn_conv_1x1_paired(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
void tn_conv_1x1_expanded(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch);

/* A fully connected layer in the form for Armv6-M: `pixels` are its rows. `constants` holds for each four outputs, zeros
 * where some are missing: their biases, with the input's zero point folded in; for each input, and zeros up to a
 * multiple of eight of them, a word with their weights in bytes, 128 added to each; and their lines (line.h), or
 * multiplier, shift, 0, 0, 0 where the layer is general. `scratch` holds a word for each input, up to that multiple. */
void tn_fully_connected_in_words(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output,
                                 int8_t *scratch);

/* Convolution with any window, stride and padding, without groups and dilation, two output channels at least. Each row
 * of the window takes whole pairs of elements. `scratch` holds four columns, and behind them one row of the window as
 * bytes where the input channels are no multiple of four. */
typedef struct {
    tn_dot_params dot;
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
void tn_conv_2d_packed(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
/* For Armv6-M. The window as a whole takes whole pairs of elements; `scratch` holds one column. */
void tn_conv_2d_paired(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output, int8_t *scratch);
void tn_conv_2d_im2col_expanded(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output,
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
 * Heights and widths are those of a channel's plane in scratch: transposed, so that rows are long, where the output is
 * higher than wide. `constants` holds for each channel a bias, a multiplier, the weights in bytes, row by row, and the
 * complement of the shift in the next byte, in whole words. The biases have the zero point folded in:
 * bias - zero_point * sum(weights). `scratch` holds one channel's weights in pairs and its plane between borders of the
 * zero point: 4 * kernel_height * row_words + 2 * plane_height * plane_width bytes. */
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
    uint16_t plane_height; /* the padded input's rows and columns, as far as windows reach; columns are even */
    uint16_t plane_width;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t activation_min;
    int8_t activation_max;
    uint8_t general;    /* as in tn_dot_params */
    uint8_t overlapped; /* 1: (w0 w1) (w2 w3) ... and then (w1 w2) (w3 w4) ...; 0: (w0 w1) ... (w4 0) */
    uint16_t row_words; /* pairs of weights that the kernel wants for each row of the window */
} tn_depthwise_planar_params;

/* Any window and stride. */
void tn_depthwise_conv_2d_planar(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                 int8_t *scratch);
/* Windows of 3 x 3 with stride 1, and with a horizontal stride of 2. */
void tn_depthwise_conv_2d_3x3(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                              int8_t *scratch);
void tn_depthwise_conv_2d_3x3_stride_2(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                       int8_t *scratch);
/* Windows of 3 x 3 with a stride of 2, four channels at a time: there is a multiple of four of them. Padding is one row
 * or column at most on each side. Works in place: an output that is not larger may lie at either end of the input. The
 * plane is not transposed, and its width may be odd. `constants` holds for each four channels the nine taps, each as
 * four bytes, then four times a bias and a multiplier, and the complements of the shifts in four bytes. `scratch` holds
 * 136 bytes and three rows of the plane, four bytes for each column. */
void tn_depthwise_conv_2d_3x3_stride_2_quads(const tn_depthwise_planar_params *params, const int8_t *input,
                                             int8_t *output, int8_t *scratch);
/* Windows of any height, five or seven wide, with a horizontal stride of 1 or 2. */
void tn_depthwise_conv_2d_width_5(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                  int8_t *scratch);
void tn_depthwise_conv_2d_width_5_stride_2(const tn_depthwise_planar_params *params, const int8_t *input,
                                           int8_t *output, int8_t *scratch);
void tn_depthwise_conv_2d_width_7(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                  int8_t *scratch);
void tn_depthwise_conv_2d_width_7_stride_2(const tn_depthwise_planar_params *params, const int8_t *input,
                                           int8_t *output, int8_t *scratch);

/* What tn_depthwise_conv_2d_planar computes, in the form for Armv6-M, any window and stride, and windows of 3 x 3. The
 * plane is transposed where the output is wider than high, and has a word for two pixels half the output's rows apart
 * (depthwise_half_planes.h): `plane_height` is what half of them, rounded up, need. `general` is set, too, where a sum
 * may exceed 2^20 or a weight is -128. `row_words` is how many weights the kernel reads for each row of the window.
 * `scratch` holds 76 + 4 * kernel_height * row_words bytes of constants and 4 * plane_height * plane_width bytes. */
void tn_depthwise_conv_2d_half_planes(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                      int8_t *scratch);
void tn_depthwise_conv_2d_half_planes_3x3(const tn_depthwise_planar_params *params, const int8_t *input, int8_t *output,
                                          int8_t *scratch);

/* Pooling; padding takes no part in it. The output has the input's quantization. */
typedef struct {
    uint16_t input_height;
    uint16_t input_width;
    uint16_t channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t filter_height;
    uint16_t filter_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t padding_top;
    uint16_t padding_left;
    int8_t activation_min;
    int8_t activation_max;
} tn_pool_2d_params;

void tn_average_pool_2d(const tn_pool_2d_params *params, const int8_t *input, int8_t *output);
void tn_max_pool_2d(const tn_pool_2d_params *params, const int8_t *input, int8_t *output);

/* Element i of a broadcast result reads operand elements at sum(index[d] * strides[d]); 0 repeats a dimension. */
typedef struct {
    int32_t extents[4];
    int32_t a_strides[4];
    int32_t b_strides[4];
} tn_broadcast;

/* ADD. The output may be one of the inputs (in place) if that input is not repeated. */
typedef struct {
    int32_t a_multiplier;
    int32_t b_multiplier;
    int32_t output_multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t output_zero_point;
    int8_t a_shift;
    int8_t b_shift;
    int8_t output_shift;
    int8_t activation_min;
    int8_t activation_max;
} tn_add_quantization;

/* out = saturate((a * alpha + b * beta + gamma) >> right), where that equals TFLite's roundings for every pair of
 * operands, and right is 16 to 23. The factors are 0 to 2^23 - 1, and no sum leaves 32 bits, with (128 << right) added
 * or not. right = 0: there is no such plane, or none that the code generator found. */
typedef struct {
    int32_t alpha;
    int32_t beta;
    int32_t gamma;
    int32_t right;
} tn_add_plane;

typedef struct {
    tn_add_quantization quantization;
    tn_add_plane plane;
    int32_t count;
} tn_add_params;

typedef struct {
    tn_add_quantization quantization;
    tn_broadcast broadcast;
} tn_add_broadcast_params;

void tn_add(const tn_add_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void tn_add_broadcast(const tn_add_broadcast_params *params, const int8_t *a, const int8_t *b, int8_t *output);

/* MUL. In place as ADD. */
typedef struct {
    int32_t multiplier;
    int16_t a_zero_point;
    int16_t b_zero_point;
    int16_t output_zero_point;
    int8_t shift;
    int8_t activation_min;
    int8_t activation_max;
} tn_mul_quantization;

typedef struct {
    tn_mul_quantization quantization;
    int32_t count;
} tn_mul_params;

typedef struct {
    tn_mul_quantization quantization;
    tn_broadcast broadcast;
} tn_mul_broadcast_params;

void tn_mul(const tn_mul_params *params, const int8_t *a, const int8_t *b, int8_t *output);
void tn_mul_broadcast(const tn_mul_broadcast_params *params, const int8_t *a, const int8_t *b, int8_t *output);

/* QUANTIZE from int8 to int8. In place. */
typedef struct {
    int32_t count;
    int32_t multiplier;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t shift;
} tn_requantize_params;

void tn_requantize(const tn_requantize_params *params, const int8_t *input, int8_t *output);

/* CONCATENATION of inputs with equal quantization: `outer` times, `sizes[i]` bytes of each input. The inputs' addresses
 * are constants of the model. */
typedef struct {
    const int8_t *const *inputs;
    const int32_t *sizes;
    int32_t count;
    int32_t outer;
} tn_concatenation_params;

void tn_concatenation(const tn_concatenation_params *params, int8_t *output);

/* PAD of up to four dimensions. */
typedef struct {
    uint16_t input[4];
    uint16_t before[4];
    uint16_t after[4];
    int32_t value;
} tn_pad_params;

void tn_pad(const tn_pad_params *params, const int8_t *input, int8_t *output);

/* MEAN over the middle dimension of [outer][reduced][inner]; 1 / reduced is part of the multiplier. */
typedef struct {
    int32_t outer;
    int32_t reduced;
    int32_t inner;
    int32_t multiplier;
    int16_t input_zero_point;
    int16_t output_zero_point;
    int8_t shift;
} tn_mean_params;

void tn_mean(const tn_mean_params *params, const int8_t *input, int8_t *output);

/* SOFTMAX over rows of `depth` < 4096 elements; output scale 1/256, zero point -128. Inputs more than -diff_min below
 * their row's maximum become zero. */
typedef struct {
    int32_t rows;
    int32_t depth;
    int32_t multiplier;
    int32_t shift;
    int32_t diff_min;
} tn_softmax_params;

void tn_softmax(const tn_softmax_params *params, const int8_t *input, int8_t *output);

/* RESIZE_NEAREST_NEIGHBOR: output pixel (y, x) is input pixel (rows[y], columns[x]). */
typedef struct {
    const uint16_t *rows;
    const uint16_t *columns;
    uint16_t input_width;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t channels;
} tn_resize_nearest_neighbor_params;

void tn_resize_nearest_neighbor(const tn_resize_nearest_neighbor_params *params, const int8_t *input, int8_t *output);

/* TRANSPOSE of up to four dimensions: output extents, and the input's stride along each of them. */
typedef struct {
    int32_t extents[4];
    int32_t strides[4];
} tn_transpose_params;

void tn_transpose(const tn_transpose_params *params, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif
#endif
