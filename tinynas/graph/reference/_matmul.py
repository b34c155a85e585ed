"""Matrix products of integers, exact, at the speed of floating-point BLAS."""

from __future__ import annotations

import numpy as np

from tinynas.graph.reference._node import Array


def exact_matmul(rows: Array, matrix: Array, is_float: bool) -> Array:
    """rows [M, K] times matrix [K, N]: float32 as is, integers exactly as int64.

    A floating-point product of integers is exact in any order of summation while every partial sum stays below
    2**24 (float32) or 2**53 (float64). Rows are int8 values minus a zero point, at most 255 in magnitude, so
    255 times the largest column sum of |matrix| is the bound.
    """
    if is_float:
        return np.asarray(np.matmul(rows, matrix, dtype=np.float32))
    bound = 255 * int(np.abs(matrix.astype(np.int64)).sum(axis=0).max())
    dtype = np.float32 if bound < 1 << 24 else np.float64
    product: Array = np.matmul(rows.astype(dtype), matrix.astype(dtype))
    return product.astype(np.int64)
