"""What runs streamed segments: layers that hand each other rows."""

from tinynas.kernels.streaming.stream import ROUND_BYTES, STREAM, STREAMED_LAYER, STREAMED_STATE
from tinynas.kernels.streaming.stream_rows import BEGUN_BYTES, STREAM_ROWS

KERNELS = (STREAM, STREAM_ROWS)

SEGMENTS = frozenset(kernel.name for kernel in KERNELS)
"""Names of the kernels of segments, which call others."""

__all__ = [
    "BEGUN_BYTES",
    "KERNELS",
    "ROUND_BYTES",
    "SEGMENTS",
    "STREAM",
    "STREAMED_LAYER",
    "STREAMED_STATE",
    "STREAM_ROWS",
]
