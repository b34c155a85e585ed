"""Sliding windows: TensorFlow's padding arithmetic."""

from __future__ import annotations

from tinynas.graph._attributes import Padding


def window_output_size(size: int, filter_size: int, stride: int, dilation: int, padding: Padding) -> int:
    """Positions of a sliding window along one dimension; zero or less when the window does not fit.

    TensorFlow's rule: SAME gives ceil(size / stride); VALID gives ceil((size - effective filter + 1) / stride).
    """
    if padding is Padding.SAME:
        return -(-size // stride)
    return -(-(size - (filter_size - 1) * dilation) // stride)


def window_padding(size: int, filter_size: int, stride: int, dilation: int, padding: Padding) -> tuple[int, int]:
    """Zeros (before, after) along one dimension; the odd one goes after, as in TensorFlow."""
    if padding is Padding.VALID:
        return (0, 0)
    output = window_output_size(size, filter_size, stride, dilation, padding)
    total = max((output - 1) * stride + (filter_size - 1) * dilation + 1 - size, 0)
    return (total // 2, total - total // 2)
