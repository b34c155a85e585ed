/* SPDX-License-Identifier: Apache-2.0 */
#include "dense.h"

TN_KERNEL void tn_conv_2d_im2col_w16(const tn_conv_2d_im2col_params *params, const int8_t *input, int8_t *output,
                                          int8_t *scratch)
{
    tn_convolve_windows(params, input, output, scratch, tn_gemm_2x4_w16);
}
