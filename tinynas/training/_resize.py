"""Deterministic resizing of uint8 images: area averaging when shrinking, bilinear when enlarging."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def _weights(source: int, target: int) -> npt.NDArray[np.float32]:
    """Rows of interpolation weights [target, source], each summing to 1, for one dimension."""
    matrix = np.zeros((target, source), np.float64)
    ratio = source / target
    for row in range(target):
        if target <= source:
            # The share of each source pixel that the target pixel [row*ratio, (row+1)*ratio) covers.
            low, high = row * ratio, (row + 1) * ratio
            edges = np.arange(source + 1)
            matrix[row] = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0.0, None)
        else:
            position = min(max((row + 0.5) * ratio - 0.5, 0.0), source - 1.0)
            left = min(int(position), source - 2) if source > 1 else 0
            fraction = position - left
            matrix[row, left] += 1.0 - fraction
            matrix[row, min(left + 1, source - 1)] += fraction
    matrix /= matrix.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


def resize_images(images: npt.NDArray[np.uint8], resolution: int, *, chunk: int = 4096) -> npt.NDArray[np.uint8]:
    """Resize to squares of `resolution` pixels.

    Args:
        images: [N, H, W, C] uint8.
        resolution: side of the result in pixels.
        chunk: images per step; bounds the memory, not the result.

    Returns:
        [N, resolution, resolution, C] uint8, rounded to nearest.
    """
    count, height, width, channels = images.shape
    if (height, width) == (resolution, resolution):
        return images
    rows, columns = _weights(height, resolution), _weights(width, resolution)
    result = np.empty((count, resolution, resolution, channels), np.uint8)
    for start in range(0, count, chunk):
        part = images[start : start + chunk].astype(np.float32)
        part = np.einsum("nhwc,rh->nrwc", part, rows, optimize=True)
        part = np.einsum("nrwc,sw->nrsc", part, columns, optimize=True)
        result[start : start + chunk] = np.clip(np.rint(part), 0, 255).astype(np.uint8)
    return result
