"""What runs streamed segments: layers that hand each other rows."""

from tinynas.kernels.streaming.stream import ROUND_BYTES, STREAM, STREAMED_LAYER, STREAMED_STATE

KERNELS = (STREAM,)

__all__ = ["KERNELS", "ROUND_BYTES", "STREAM", "STREAMED_LAYER", "STREAMED_STATE"]
