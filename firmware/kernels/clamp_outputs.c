/* SPDX-License-Identifier: Apache-2.0 */
#include "tinynas/clamp_outputs.h"

#include "tinynas/fixed_point.h"
#include "tinynas/kernels.h"

TN_KERNEL void tn_clamp_outputs(int8_t *output, int32_t count, int32_t low, int32_t high)
{
    if (low > INT8_MIN || high < INT8_MAX) {
        for (int32_t i = count; i > 0; i--) {
            *output = tn_clamp(*output, low, high);
            output++;
        }
    }
}
