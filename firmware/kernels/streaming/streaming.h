/* SPDX-License-Identifier: Apache-2.0
 *
 * Streamed segments: layers that hand each other rows instead of whole tensors. What a layer writes lies in a window of
 * the rows that are still read; nothing is computed twice.
 */
#ifndef TINYNAS_STREAMING_H
#define TINYNAS_STREAMING_H

#include "../kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A layer, which writes `rows_per_call` rows in each of its calls but perhaps the last one, and the window that they
 * go to. Layer 0 of a segment stands for its input: it has a window only, and is never called. The last layer, whose
 * output is there as a whole, names layer 0, which waits for rows without end, and itself as its readers.
 *
 * The first calls see padding above them and the last ones padding below: each of them has a parameter structure of its
 * own, and all others share one. */
typedef struct {
    tn_call *call;
    const void *parameters;   /* structures in a row: of the first calls, of those between, of the last ones */
    int8_t *scratch;
    int8_t *rows;             /* where the window begins */
    uint32_t row_bytes;
    uint16_t window_rows;     /* that the window has room for */
    uint16_t rows_per_call;
    uint16_t rows_in_all;     /* rows of the whole tensor */
    uint16_t calls;           /* that it takes to write them */
    uint16_t parameter_bytes; /* of one structure */
    uint8_t structures;
    uint8_t first_structures; /* of the first calls, the shared one included if there is any */
    uint8_t last_structures;  /* of the last calls */
    uint8_t operands;         /* 1 or 2 */
    uint8_t operand[2];       /* the layers that wrote them; one operand is there twice */
    uint16_t stride;
    uint16_t extent;          /* rows of its input that one output row sees */
    uint16_t padding;         /* of these above the first row */
    uint8_t reader[2];        /* the layers that read the window, the last one second; one is there twice */
} tn_streamed_layer;

/* How far a layer has come. */
typedef struct {
    uint16_t written; /* rows */
    uint16_t first;   /* row of the tensor at the beginning of the window */
    uint16_t calls;   /* so far */
    uint16_t needed;  /* rows of its operands for the next call */
} tn_streamed_state;

typedef struct {
    const tn_streamed_layer *layers;
    tn_streamed_state *states; /* one for each layer */
    uint32_t last;             /* of the layers */
} tn_stream_segment;

typedef struct {
    tn_stream_segment segment;
    int8_t *output; /* where the output goes in the end */
    uint32_t output_bytes;
} tn_stream_params;

/* Run a segment whose input is there as a whole. */
void tn_stream(const tn_stream_params *params);

/* A segment whose input comes row by row, into a window like any other. Its output is written where it is to be. */
typedef struct {
    tn_stream_segment segment;
    uint32_t *begun; /* whether some rows of an image have come: outlives everything else in the arena */
} tn_stream_rows_params;

/* Take the next row of the input and call whatever layer can and need be called then (advance.h). Returns how many rows
 * are missing. After the last one, the next row is the first of another image. */
int32_t tn_stream_rows(const tn_stream_rows_params *params, const int8_t *row);

/* Where the next row goes: it may be put there and passed to tn_stream_rows, which then copies it onto itself. */
int8_t *tn_stream_rows_place(const tn_stream_rows_params *params);

/* Forget the rows that have come: the next row is the first of an image. */
void tn_stream_rows_restart(const tn_stream_rows_params *params);

#ifdef __cplusplus
}
#endif
#endif
