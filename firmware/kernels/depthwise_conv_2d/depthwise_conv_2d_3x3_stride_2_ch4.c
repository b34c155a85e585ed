/* SPDX-License-Identifier: Apache-2.0 */
#define CH4_STRIDE 2
#include "ch4_rows.h"

TN_KERNEL void tn_depthwise_conv_2d_3x3_stride_2_ch4(const tn_channel_buffer_params *params, const int8_t *input,
                         int8_t *output, int8_t *scratch)
{
    ch4_rows(params, input, output, scratch);
}
