"""Sliding windows over NHWC images: padding, and the strided view of one filter tap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinynas.graph._attributes import Padding
from tinynas.graph._windows import window_output_size, window_padding
from tinynas.graph.reference._node import Array


@dataclass(frozen=True)
class Windows:
    """Geometry of a sliding window in two dimensions, each pair (height, width)."""

    filter_size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    output_size: tuple[int, int]

    @classmethod
    def over(
        cls,
        size: tuple[int, int],
        filter_size: tuple[int, int],
        stride: tuple[int, int],
        padding: Padding,
        dilation: tuple[int, int] = (1, 1),
    ) -> Windows:
        """Windows over an image of `size`."""
        dimensions = tuple(zip(size, filter_size, stride, dilation, strict=True))
        rows, columns = (window_padding(*dimension, padding) for dimension in dimensions)
        height, width = (window_output_size(*dimension, padding) for dimension in dimensions)
        return cls(filter_size, stride, dilation, (rows, columns), (height, width))

    def pad(self, images: Array, value: float = 0) -> Array:
        """Images [N, H, W, C] with the border that the windows reach into."""
        if self.padding == ((0, 0), (0, 0)):
            return images
        return np.pad(images, ((0, 0), *self.padding, (0, 0)), constant_values=value)

    def taps(self, padded: Array) -> Iterator[tuple[int, int, Array]]:
        """For each filter position (i, j): the elements it meets, a view [N, OH, OW, C] of the padded images."""
        for i in range(self.filter_size[0]):
            for j in range(self.filter_size[1]):
                yield i, j, padded[:, self._span(0, i), self._span(1, j), :]

    def reduce(self, padded: Array, operation: np.ufunc) -> Array:
        """`operation` over the elements of each window, [N, OH, OW, C]: over its columns, then over its rows.

        So a window of 256 x 256, which a file may claim for any image, costs 512 passes instead of 65,536.
        """
        columns = [padded[:, :, self._span(1, j), :] for j in range(self.filter_size[1])]
        reduced = _accumulated(columns, operation)
        return _accumulated([reduced[:, self._span(0, i), :, :] for i in range(self.filter_size[0])], operation)

    def bands(self, rows_at_once: int) -> Iterator[tuple[slice, Windows]]:
        """Bands of output rows: the rows of the padded images that they see, and the windows over these rows."""
        for first in range(0, self.output_size[0], rows_at_once):
            count = min(rows_at_once, self.output_size[0] - first)
            start = first * self.stride[0]
            end = start + (count - 1) * self.stride[0] + (self.filter_size[0] - 1) * self.dilation[0] + 1
            yield slice(start, end), replace(self, output_size=(count, self.output_size[1]))

    def patches(self, padded: Array) -> Array:
        """im2col: a matrix [N * OH * OW, KH * KW * C], the taps of one output in a row."""
        count, channels = padded.shape[0], padded.shape[3]
        height, width = self.output_size
        columns = np.empty((count, height, width, *self.filter_size, channels), padded.dtype)
        for i, j, elements in self.taps(padded):
            columns[:, :, :, i, j, :] = elements
        return columns.reshape(count * height * width, -1)

    def _span(self, dimension: int, tap: int) -> slice:
        start = tap * self.dilation[dimension]
        stride = self.stride[dimension]
        return slice(start, start + (self.output_size[dimension] - 1) * stride + 1, stride)


def _accumulated(arrays: list[Array], operation: np.ufunc) -> Array:
    """`operation` of arrays of one shape."""
    result = arrays[0].copy()
    for array in arrays[1:]:
        operation(result, array, out=result)
    return result
