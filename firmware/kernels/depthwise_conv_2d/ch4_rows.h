/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TINYNAS_CH4_ROWS_H
#define TINYNAS_CH4_ROWS_H

#include "../arithmetic/clamp_outputs.h"
#include "../arithmetic/dsp.h"
#include "../arithmetic/fixed_point.h"
#include "depthwise_conv_2d.h"

/* 3x3 windows of stride CH4_STRIDE, 1 or 2, which whoever includes this file defines.
 *
 * Four channels at a time: a word of the input is four channels of one pixel. Three rows of such words, what a row of
 * outputs sees, lie in scratch between borders of the zero point; the last of them, or the last two, are the first of
 * the next row of outputs.
 *
 * Of the input nothing else is kept, and results may take its place at either end. At its start, rows go down: when row
 * y of the output is written, the next row to be read is y + 2 or later (2 * y + 2 for a stride of 2), and a row of the
 * output is no longer than one of the input. At its end, rows go up, and the same holds upside down, since there is at
 * most one row of padding below, as the lowering demands. `direction` is 1 or -1, and rows are called near and far by
 * it. */
enum { CHANNELS = 4, SIDE = 3, TAPS = SIDE * SIDE, STRIDE = CH4_STRIDE };

/* The constants of four channels, as they lie in flash. */
typedef struct {
    int8_t taps[SIDE][SIDE][CHANNELS];
    int32_t scales[CHANNELS][2]; /* bias and multiplier */
    int8_t halves[CHANNELS];     /* the complements of the shifts */
} four_channels;

/* The same in scratch, the near row first, ready for SMLABB and for tn_requantize_doubled: for each tap a pair of
 * channels 0 and 2, and of channels 1 and 3; then for each channel twice the bias, the multiplier, the rounding, and
 * half. */
enum { SCALE_WORDS = 4, EXPANDED_WORDS = 2 * TAPS + SCALE_WORDS * CHANNELS };

/* The rows that a row of outputs sees, borders included. */
typedef struct {
    uint32_t *near;
    uint32_t *middle;
    uint32_t *far;
} three_rows;

static inline uint32_t load_pixel(const int8_t *from)
{
#if TN_DSP
    return tn_load_word(from);
#else
    return (uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8 | (uint32_t)(uint8_t)from[2] << 16 |
           (uint32_t)(uint8_t)from[3] << 24;
#endif
}

/* Copies two pixels, which are `step` bytes apart. In assembly for STRD, which compilers do not make of two stores
 * here. */
#if TN_DSP
#define COPY_TWO(to, from, step)                                                                                       \
    do {                                                                                                               \
        uint32_t first, second;                                                                                        \
        __asm__ volatile("ldr    %[first], [%[from_]]\n\t"                                                             \
                         "ldr    %[second], [%[from_], %[step_]]\n\t"                                                  \
                         "add    %[from_], %[from_], %[step_], lsl #1\n\t"                                             \
                         "strd   %[first], %[second], [%[to_]], #8"                                                    \
                         : [to_] "+&r"(to), [from_] "+&r"(from), [first] "=&r"(first), [second] "=&r"(second)          \
                         : [step_] "r"(step)                                                                           \
                         : "memory");                                                                                  \
    } while (0)
#else
#define COPY_TWO(to, from, step)                                                                                       \
    do {                                                                                                               \
        (to)[0] = load_pixel(from);                                                                                    \
        (to)[1] = load_pixel((from) + (step));                                                                         \
        (to) += 2;                                                                                                     \
        (from) += 2 * (step);                                                                                          \
    } while (0)
#endif

static inline void fill(uint32_t *to, int32_t zero_point, int32_t count)
{
    const uint32_t pixel = ((uint32_t)zero_point & 0xFFu) * 0x01010101u;
    for (int32_t i = count; i > 0; i--) {
        *to++ = pixel;
    }
}

/* Row `y` of four channels, which may lie outside the input, between the borders of `row`. */
static TN_KERNEL void gather(const tn_channel_buffer_params *params, const int8_t *input, int32_t y, uint32_t *row)
{
    const int32_t step = params->input_step;
    const int32_t width = params->input_width;
    uint32_t *to = row + params->padding_left;
    if ((uint32_t)y >= params->input_height) {
        fill(to, params->input_zero_point, width);
        return;
    }
    const int8_t *from = input + y * params->input_row_step;
    for (int32_t x = width >> 2; x > 0; x--) {
        COPY_TWO(to, from, step);
        COPY_TWO(to, from, step);
    }
    for (int32_t x = width & 3; x > 0; x--) {
        *to++ = load_pixel(from);
        from += step;
    }
}

/* One row of outputs: any core, any multiplier. */
static TN_KERNEL void any_row(const tn_channel_buffer_params *params, const four_channels *channels,
                              int32_t direction, const three_rows *rows, int8_t *output)
{
    const int8_t *const windows[SIDE] = {
        (const int8_t *)rows->near,
        (const int8_t *)rows->middle,
        (const int8_t *)rows->far,
    };
    for (int32_t x = 0; x < params->output_width; x++) {
        for (int32_t c = 0; c < CHANNELS; c++) {
            const int32_t multiplier = channels->scales[c][1];
            int32_t sum = channels->scales[c][0];
            for (int32_t i = 0; i < SIDE; i++) {
                const int8_t (*taps)[CHANNELS] = channels->taps[1 + direction * (i - 1)];
                const int8_t *value = windows[i] + STRIDE * CHANNELS * x + c;
                sum += value[0] * taps[0][c] + value[CHANNELS] * taps[1][c] + value[2 * CHANNELS] * taps[2][c];
            }
            sum = tn_multiply_by_quantized_multiplier(sum, multiplier, ~channels->halves[c]);
            output[c] = tn_clamp(sum + params->output_zero_point, INT8_MIN, INT8_MAX);
        }
        output += params->output_step;
    }
}

#if TN_DSP

/* A tap of four channels. Returns where the next one goes. */
static inline uint32_t *expand_tap(uint32_t *expanded, const int8_t *tap)
{
    const uint32_t word = tn_load_word(tap);
    expanded[0] = tn_even_bytes(word);
    expanded[1] = tn_odd_bytes(word);
    return expanded + 2;
}

static TN_KERNEL void expand(const tn_channel_buffer_params *params, const four_channels *channels,
                             int32_t direction, uint32_t *expanded)
{
    for (int32_t i = 0; i < SIDE; i++) {
        const int8_t (*taps)[CHANNELS] = channels->taps[1 + direction * (i - 1)];
        expanded = expand_tap(expanded, taps[0]);
        expanded = expand_tap(expanded, taps[1]);
        expanded = expand_tap(expanded, taps[2]);
    }
    for (int32_t c = 0; c < CHANNELS; c++) {
        const int32_t half = channels->halves[c];
        expanded[0] = (uint32_t)channels->scales[c][0] * 2;
        expanded[1] = (uint32_t)channels->scales[c][1];
        expanded[2] = (uint32_t)(2 * params->output_zero_point + 1) << half;
        expanded[3] = (uint32_t)half;
        expanded += SCALE_WORDS;
    }
}

/* One pixel of the window against one tap: a word of input in `x`, both words of weights in wa and wb. */
#define TAP(load, x, first, second)                                                                                    \
    load "ldrd   %[wa], %[wb], [%[w]], #8\n\t"                                                                         \
         "sxtb16 %[t], %[" #x "]\n\t"                                                                                  \
         "sxtb16 %[" #x "], %[" #x "], ror #8\n\t" first(s0, t, wa) second(s2, t, wa) first(s1, x, wb)                 \
             second(s3, x, wb)
#define SMULBB(s, x, w) "smulbb %[" #s "], %[" #x "], %[" #w "]\n\t"
#define SMULTT(s, x, w) "smultt %[" #s "], %[" #x "], %[" #w "]\n\t"
#define SMLABB(s, x, w) "smlabb %[" #s "], %[" #x "], %[" #w "], %[" #s "]\n\t"
#define SMLATT(s, x, w) "smlatt %[" #s "], %[" #x "], %[" #w "], %[" #s "]\n\t"
/* A row of the window. The pointer moves on by the stride. */
#if CH4_STRIDE == 1
#define ADVANCE "#4"
#define THIRD ", #4"
#else
#define ADVANCE "#8"
#define THIRD ""
#endif
#define ROW(row, first, second)                                                                                        \
    TAP("ldrd   %[xa], %[xb], [%[" #row "]], " ADVANCE "\n\t", xa, first, second)                                      \
    TAP("", xb, SMLABB, SMLATT) TAP("ldr    %[xa], [%[" #row "]" THIRD "]\n\t", xa, SMLABB, SMLATT)
/* See tn_requantize_doubled; `at` is where the channel's scales lie behind w. */
#define FINISH(s, at, channel)                                                                                         \
    "ldrd   %[xa], %[xb], [%[w], #" #at "]\n\t"                                                                        \
    "ldrd   %[wa], %[wb], [%[w], #" #at " + 8]\n\t"                                                                    \
    "add    %[" #s "], %[xa], %[" #s "], lsl #1\n\t"                                                                   \
    "add    %[t], %[wa], %[" #s "], asr #31\n\t"                                                                       \
    "smmlar %[" #s "], %[" #s "], %[xb], %[t]\n\t"                                                                     \
    "asr    %[" #s "], %[" #s "], %[wb]\n\t"                                                                           \
    "ssat   %[" #s "], #8, %[" #s "], asr #1\n\t"                                                                      \
    "strb   %[" #s "], [%[y], #" #channel "]\n\t"

/* Four sums, three rows, two pointers and five operands are all fourteen registers there are. */
static TN_KERNEL void fast_row(const tn_channel_buffer_params *params, const uint32_t *expanded,
                               const three_rows *rows, int8_t *output)
{
    const uint32_t *near = rows->near;
    const uint32_t *middle = rows->middle;
    const uint32_t *far = rows->far;
    const int32_t step = params->output_step;
    const float apart = tn_park((uint32_t)step);
    const float end = tn_park((uint32_t)(uintptr_t)(output + params->output_width * step));
    uint32_t wa, wb, xa, xb, t;
    int32_t s0, s1, s2, s3;
    __asm__ volatile("1:\n\t" ROW(near, SMULBB, SMULTT) ROW(middle, SMLABB, SMLATT) ROW(far, SMLABB, SMLATT)
                         FINISH(s0, 0, 0) FINISH(s1, 16, 1) FINISH(s2, 32, 2) FINISH(s3, 48, 3)
                     "sub    %[w], %[w], #72\n\t"
                     "vmov   %[t], %[apart]\n\t"
                     "add    %[y], %[y], %[t]\n\t"
                     "vmov   %[t], %[end]\n\t"
                     "cmp    %[y], %[t]\n\t"
                     "bne.w  1b"
                     : [near] "+&r"(near), [middle] "+&r"(middle), [far] "+&r"(far), [w] "+&r"(expanded),
                       [y] "+&r"(output), [wa] "=&r"(wa), [wb] "=&r"(wb), [xa] "=&r"(xa), [xb] "=&r"(xb), [t] "=&r"(t),
                       [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3)
                     : [apart] "t"(apart), [end] "t"(end)
                     : "cc", "memory");
}

#endif

static inline void ch4_rows(const tn_channel_buffer_params *params, const int8_t *input, int8_t *output, int8_t *scratch)
{
    uint32_t *const expanded = (uint32_t *)(void *)scratch;
    uint32_t *const near = expanded + EXPANDED_WORDS;
    const int32_t width = params->buffer_width;
    const four_channels *channels = (const four_channels *)(const void *)params->constants;
    const int32_t last = params->output_height - 1;
    const int32_t up = (uintptr_t)output > (uintptr_t)input ? 1 : 0;
    const int32_t direction = 1 - 2 * up;
    const int32_t first_input = up * (STRIDE * last + SIDE - 1) - params->padding_top;
    const int32_t first_output = up * last * params->output_row_step;
    fill(near, params->input_zero_point, SIDE * width);
    for (int32_t c = 0; c < params->channels; c += CHANNELS) {
        three_rows rows = {near, near + width, near + 2 * width};
        int32_t y = first_input;
        int8_t *result = output + first_output + c;
#if TN_DSP
        if (params->general == 0) {
            expand(params, channels, direction, expanded);
        }
#endif
        gather(params, input + c, y, rows.near);
#if CH4_STRIDE == 1
        gather(params, input + c, y + direction, rows.middle);
#endif
        for (int32_t i = last; i >= 0; i--) {
            uint32_t *const next = rows.far;
#if CH4_STRIDE == 2
            gather(params, input + c, y + direction, rows.middle);
#endif
            gather(params, input + c, y + 2 * direction, rows.far);
#if TN_DSP
            if (params->general == 0) {
                fast_row(params, expanded, &rows, result);
            } else
#endif
            {
                any_row(params, channels, direction, &rows, result);
            }
            rows.far = rows.near;
#if CH4_STRIDE == 1
            rows.near = rows.middle;
            rows.middle = next;
#else
            rows.near = next;
#endif
            y += STRIDE * direction;
            result += direction * params->output_row_step;
        }
        channels++;
    }
    tn_clamp_outputs(output, params->output_height * params->output_width * params->channels, params->activation_min,
                     params->activation_max);
}

#endif
