/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_buffer_swar.h"

#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/fixed_point.h"

/* Rows of the output from one half to the other. */
static inline int32_t rows_apart(const tn_channel_buffer_params *params)
{
    return params->output_height >> 1;
}

TN_KERNEL void tn_clear_buffer_swar(const tn_channel_buffer_params *params, uint32_t *buffer)
{
    const uint32_t pair = tn_two_in_word(params->input_zero_point, params->input_zero_point);
    for (int32_t i = params->buffer_height * params->buffer_width; i > 0; i--) {
        *buffer++ = pair;
    }
}

/* Gathers rows, one at least, of which both halves lie in the input: the first `apart` bytes before the second. Six
 * instructions a word, one for the loop, and nine a row. */
static void gather_rows(const tn_channel_buffer_params *params, const int8_t *input, int32_t apart, int32_t rows,
                        uint32_t *buffer)
{
    const int32_t step = params->input_step;
    const int32_t row_step = params->input_row_step;
    const int32_t width = params->input_width;
    const int32_t end = width * step;
    const int8_t *first = input;
    const int8_t *second = input + apart;
    uint32_t *to = buffer;
    int32_t i;
#if TN_THUMB1
    const int32_t skip = 4 * (params->buffer_width - width);
    /* An odd row begins with the second of two words. Whether it is odd is the lowest bit of the count. */
    uint32_t count = 2 * (uint32_t)rows + ((uint32_t)width & 1u);
    __asm__ volatile(".syntax unified\n" /* GCC's default here is the older syntax */
                     "1:\n\t"
                     "lsrs   r0, %[count], #1\n\t"
                     "movs   %[i], #0\n\t"
                     "bcs    3f\n"
                     "2:\n\t"
                     "ldrsb  r0, [%[first], %[i]]\n\t"
                     "ldrsb  r1, [%[second], %[i]]\n\t"
                     "lsls   r1, r1, #16\n\t"
                     "adds   r0, r0, r1\n\t"
                     "stmia  %[to]!, {r0}\n\t"
                     "add    %[i], %[step]\n"
                     "3:\n\t"
                     "ldrsb  r0, [%[first], %[i]]\n\t"
                     "ldrsb  r1, [%[second], %[i]]\n\t"
                     "lsls   r1, r1, #16\n\t"
                     "adds   r0, r0, r1\n\t"
                     "stmia  %[to]!, {r0}\n\t"
                     "add    %[i], %[step]\n\t"
                     "cmp    %[i], %[end]\n\t"
                     "bne    2b\n\t"
                     "add    %[first], %[row_step]\n\t"
                     "add    %[second], %[row_step]\n\t"
                     "add    %[to], %[skip]\n\t"
                     "subs   %[count], #2\n\t"
                     "cmp    %[count], #2\n\t"
                     "bhs    1b"
                     : [first] "+l"(first), [second] "+l"(second), [to] "+l"(to), [count] "+l"(count), [i] "=&l"(i)
                     : [step] "h"(step), [end] "h"(end), [row_step] "h"(row_step), [skip] "h"(skip)
                     : "r0", "r1", "cc", "memory");
#else
    for (int32_t y = rows; y > 0; y--) {
        for (i = 0; i != end; i += step) {
            *to++ = tn_two_in_word(first[i], second[i]);
        }
        first += row_step;
        second += row_step;
        to += params->buffer_width - width;
    }
#endif
}

/* Where one half of a row of the buffer comes from. */
typedef struct {
    const int8_t *from;
    int32_t step;
} half_row;

/* The row `offset` bytes behind the start of the input; outside the input the zero point, again and again. */
static inline half_row input_row(const tn_channel_buffer_params *params, const int8_t *input, int32_t offset,
                                 const int8_t *zero_point)
{
    half_row half = {zero_point, 0};
    if ((uint32_t)offset < (uint32_t)(params->input_height * params->input_row_step)) {
        half.from = input + offset;
        half.step = params->input_step;
    }
    return half;
}

/* Gathers a row of which a half lies in the padding. */
static void gather_border(const tn_channel_buffer_params *params, const int8_t *input, int32_t offset, int32_t apart,
                          uint32_t *to)
{
    const int8_t zero_point = (int8_t)params->input_zero_point;
    half_row first = input_row(params, input, offset, &zero_point);
    half_row second = input_row(params, input, offset + apart, &zero_point);
    for (int32_t x = params->input_width; x > 0; x--) {
        *to++ = tn_two_in_word(*first.from, *second.from);
        first.from += first.step;
        second.from += second.step;
    }
}

TN_KERNEL void tn_gather_channel_swar(const tn_channel_buffer_params *params, const int8_t *input, uint32_t *buffer)
{
    const int32_t row_step = params->input_row_step;
    const int32_t rows_between = rows_apart(params) * params->stride_height;
    const int32_t apart = rows_between * row_step;
    const int32_t height = params->buffer_height;
    const int32_t top = params->padding_top;
    /* The smaller of the rows below the top and those whose lower halves lie in the input, without a branch. */
    const int32_t excess = params->input_height - rows_between - (height - top);
    const int32_t whole = height - top + (excess & (excess >> 31));
    int32_t offset = -top * row_step;
    uint32_t *row = buffer + params->padding_left;
    int32_t y = 0;
    while (y < height) {
        int32_t rows = 1;
        if (y == top && whole > 0) {
            rows = whole;
            gather_rows(params, input, apart, rows, row);
        } else {
            gather_border(params, input, offset, apart, row);
        }
        y += rows;
        offset += rows * row_step;
        row += rows * params->buffer_width;
    }
}

/* Where the words behind the weights begin. */
static inline uint32_t *behind_weights(const tn_channel_buffer_params *params, uint32_t *table)
{
    return table + TN_TABLE_HEAD + TN_TABLE_BIASES + params->kernel_height * params->row_words;
}

TN_KERNEL void tn_swar_steps(const tn_channel_buffer_params *params, int32_t window, uint32_t *table)
{
    const int32_t width = params->output_width;
    const int32_t stride = params->stride_width;
    const int32_t buffered_row = params->stride_height * params->buffer_width;
    uint32_t *entry = behind_weights(params, table) + TN_TABLE_SCALES;
    table[0] = (uint32_t)(4 * (buffered_row - stride * width));
    table[1] = (uint32_t)(4 * buffered_row);
    table[2] = (uint32_t)(params->output_row_step - width * params->output_step);
    entry[0] = (uint32_t)(rows_apart(params) * params->output_row_step);
    entry[1] = (uint32_t)params->output_step;
    entry[2] = (uint32_t)(4 * (stride - window));
    entry[3] = (uint32_t)(4 * (entry + 4 - (table + TN_TABLE_HEAD)));
}

TN_KERNEL void tn_swar_constants(const tn_channel_buffer_params *params, const uint32_t *constants,
                                        uint32_t *table)
{
    const int32_t kernel_width = params->kernel_width;
    const int32_t ends = params->row_words - kernel_width;
    const uint32_t bias = constants[0];
    const uint32_t multiplier = constants[1];
    const int8_t *tap = (const int8_t *)(constants + 2);
    uint32_t *entry = table + TN_TABLE_HEAD;
    entry[-1] = (params->output_height + 1u) >> 1; /* rows */
    *entry++ = bias + (bias << 16);
    *entry++ = bias;
    for (int32_t y = params->kernel_height; y > 0; y--) {
        for (int32_t x = kernel_width; x > 0; x--) {
            *entry++ = (uint32_t)*tap++;
        }
        if (ends > 0) {
            *entry++ = 0;
        }
    }
    const int32_t half = *tap; /* the complement of the shift */
    for (int32_t i = 0; i < 2; i++) {
        entry[0] = TN_PART_OF_THREE(multiplier, 0);
        entry[1] = TN_PART_OF_THREE(multiplier, 1);
        entry[2] = TN_PART_OF_THREE(multiplier, 2);
        entry[3] = (uint32_t)(2 * (params->output_zero_point + 128) + 1) << half;
        entry += 4;
    }
    entry[0] = (uint32_t)(half + 1);
}

TN_KERNEL void tn_swar_any(const tn_channel_buffer_params *params, const uint32_t *constants,
                                  const uint32_t *buffer, int8_t *output)
{
    const int8_t *const taps = (const int8_t *)(constants + 2);
    const int32_t multiplier = (int32_t)constants[1];
    const int32_t shift = ~(int32_t)taps[params->kernel_height * params->kernel_width];
    const int32_t apart = rows_apart(params) * params->output_row_step;
    const int32_t zero_point = params->output_zero_point;
    for (int32_t y = (params->output_height + 1) >> 1; y > 0; y--) {
        const uint32_t *window = buffer;
        int8_t *result = output;
        for (int32_t x = params->output_width; x > 0; x--) {
            const uint32_t *row = window;
            const int8_t *tap = taps;
            int32_t first_sum = (int32_t)constants[0];
            int32_t second_sum = first_sum;
            for (int32_t i = params->kernel_height; i > 0; i--) {
                for (int32_t j = 0; j < params->kernel_width; j++) {
                    first_sum += tn_lower_of(row[j]) * *tap;
                    second_sum += tn_upper_of(row[j]) * *tap;
                    tap++;
                }
                row += params->buffer_width;
            }
            first_sum = tn_multiply_by_quantized_multiplier(first_sum, multiplier, shift) + zero_point;
            second_sum = tn_multiply_by_quantized_multiplier(second_sum, multiplier, shift) + zero_point;
            result[apart] = tn_clamp(second_sum, INT8_MIN, INT8_MAX);
            result[0] = tn_clamp(first_sum, INT8_MIN, INT8_MAX);
            result += params->output_step;
            window += params->stride_width;
        }
        buffer += params->stride_height * params->buffer_width;
        output += params->output_row_step;
    }
}

TN_KERNEL void tn_clamp_buffered_swar(const tn_channel_buffer_params *params, int8_t *output)
{
    tn_clamp_outputs(output, params->output_height * params->output_width * params->channels, params->activation_min,
                     params->activation_max);
}
