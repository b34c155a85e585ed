/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TINYNAS_STREAMING_ADVANCE_H
#define TINYNAS_STREAMING_ADVANCE_H

#include "streaming.h"

/* Before a segment's first row. */
void tn_stream_begin(const tn_stream_params *params);

/* Behind one more row of the input: call whatever layer has its operands, the last such layer first, until none has. */
void tn_stream_advance(const tn_stream_params *params);

#endif
