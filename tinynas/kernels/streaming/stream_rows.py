"""The kernel of a streamed segment whose input comes row by row. No operator chooses it: a plan does."""

from __future__ import annotations

from tinynas.kernels._kernel import KernelVariant, ParameterStructure
from tinynas.kernels.streaming.stream import ROUND_BYTES, is_no_operator

BEGUN_BYTES = 4
"""What outlives an inference in the arena: whether rows of an image have come."""

STREAM_ROWS = KernelVariant(
    name="stream_rows",
    kinds=(),
    source="streaming/stream_rows.c",
    helpers=("streaming/advance.c",),
    symbol="tn_stream_rows",
    parameters=ParameterStructure("tn_stream_rows_params", 16),
    applies=lambda call: False,
    constant_bytes=is_no_operator,
    pack=is_no_operator,
    features=is_no_operator,
    loops={
        "layers": "layers of the segment, its input included",
        "input_rows": "rows of the input",
        "waits": "layers looked at whose operands were not there yet",
        "kernel_calls": "calls of the layers' kernels",
        "second_operands": "of these calls, those with two operands",
        "slides": "moves of a window's rows to its beginning, the input's window included",
        "slide_rounds": f"of such moves and of rows put into the input's window, rounds of {ROUND_BYTES} bytes",
        "slide_words": "of these, words behind the last round",
        "slide_bytes": "of these, bytes, where rows are no whole words",
    },
)
