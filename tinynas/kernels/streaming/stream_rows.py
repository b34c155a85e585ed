"""The kernel of a streamed segment whose input comes row by row. No operator chooses it: a plan does."""

from __future__ import annotations

from tinynas.kernels._kernel import ParameterStructure
from tinynas.kernels.streaming.stream import ROUND_BYTES, segment_kernel

BEGUN_BYTES = 4
"""What outlives an inference in the arena: whether rows of an image have come."""

STREAM_ROWS = segment_kernel(
    "stream_rows",
    ParameterStructure("tn_stream_rows_params", 16),
    {
        "slides": "moves of a window's rows to its beginning, the input's window included",
        "slide_rounds": f"of such moves and of rows put into the input's window, rounds of {ROUND_BYTES} bytes",
        "slide_words": "of these, words behind the last round",
        "slide_bytes": "of these, bytes, where rows are no whole words",
    },
)
