/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels of TinyNAS: what generated models and the code that executes them agree on. Each folder beside this file
 * is a family of kernels, and its header of the same name their whole interface.
 *
 * Every kernel reads and writes int8 activations in NHWC order, one image at a time, and equals TFLite's reference
 * kernel to the last bit. A kernel takes its parameters from a constant structure in flash, needs no heap, no
 * recursion and no state, and may be called from any context. Outputs must not overlap inputs, except where a kernel
 * says that it works in place.
 *
 * Quantization: real = scale * (q - zero_point). A factor is `multiplier * 2^(shift - 31)`.
 */
#ifndef TINYNAS_KERNEL_H
#define TINYNAS_KERNEL_H

#include <stdint.h>

/* Kernels stay functions of their own, so that flash is a sum over kernels and profiles are readable. */
#define TN_KERNEL __attribute__((noinline))

/* Constant objects are aligned to a word, and generated with sizes in whole words. */
#define TN_CONSTANT __attribute__((aligned(4)))

/* What a kernel is called with: parameters and constant operands in flash, everything else in the arena. */
typedef union {
    const void *constant;
    int8_t *arena;
} tn_address;

/* A function that calls one kernel with the addresses that it is given: parameters, operands, output, scratch. Returns
 * where the next ones are. */
typedef const tn_address *tn_call(const tn_address *address);

#endif
