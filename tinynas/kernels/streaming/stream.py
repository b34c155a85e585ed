"""The kernel that calls the kernels of a streamed segment row by row. No operator chooses it: a plan does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure

STREAMED_LAYER = ParameterStructure("tn_streamed_layer", 44)
STREAMED_STATE = ParameterStructure("tn_streamed_state", 8)
"""What a layer has in SRAM while its segment runs."""

ROUND_BYTES = 16
"""Bytes of a round of the loop that moves rows, where these are whole words."""


def _is_no_operator(call: KernelCall, *_: object) -> NoReturn:
    raise TypeError(f"{call.op.name!r}: a segment is no operator; `tinynas.lowering` counts what it takes")


_LOOPS = {
    "layers": "layers of the segment, its input included",
    "input_rows": "rows of the input",
    "waits": "layers looked at whose operands were not there yet",
    "kernel_calls": "calls of the layers' kernels",
    "second_operands": "of these calls, those with two operands",
}


def segment_kernel(name: str, parameters: ParameterStructure, loops: Mapping[str, str]) -> KernelVariant:
    """The kernel of a segment: what others say of an operator, `tinynas.lowering` says of the segment.

    Args:
        name: Of the kernel, its file and its symbol.
        parameters: Its structure.
        loops: What it counts beside the calls of its layers' kernels.
    """
    return KernelVariant(
        name=name,
        kinds=(),
        source=f"streaming/{name}.c",
        helpers=("streaming/advance.c",),
        symbol=f"tn_{name}",
        parameters=parameters,
        applies=lambda call: False,
        constant_bytes=_is_no_operator,
        pack=_is_no_operator,
        features=_is_no_operator,
        loops={**_LOOPS, **loops},
    )


STREAM = segment_kernel(
    "stream",
    ParameterStructure("tn_stream_params", 20),
    {
        "slides": "moves of a window's rows to its beginning",
        "slide_rounds": f"of such moves, rounds of {ROUND_BYTES} bytes",
        "slide_words": "of such moves, words behind the last round",
        "slide_bytes": "of such moves, bytes, where rows are no whole words",
        "output_words": "words of the output, moved to its place in the end",
        "output_bytes": "bytes of an output that is no whole words",
    },
)
