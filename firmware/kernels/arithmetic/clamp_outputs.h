/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TINYNAS_CLAMP_OUTPUTS_H
#define TINYNAS_CLAMP_OUTPUTS_H

#include <stdint.h>

/* Clamps finished outputs to [low, high]. Does nothing where that is all of int8, as it is behind every ReLU and ReLU6
 * whose output scale was calibrated: saturation has clamped them already. */
void tn_clamp_outputs(int8_t *output, int32_t count, int32_t low, int32_t high);

#endif
