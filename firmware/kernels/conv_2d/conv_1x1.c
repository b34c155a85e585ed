/* SPDX-License-Identifier: Apache-2.0 */
#include "dense.h"

TN_KERNEL void tn_conv_1x1(const tn_conv_1x1_params *params, const int8_t *input, int8_t *output, int8_t *scratch)
{
    tn_convolve_pixels(params, input, output, scratch, tn_gemm_2x4);
}
