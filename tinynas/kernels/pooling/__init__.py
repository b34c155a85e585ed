"""Pooling."""

from tinynas.kernels.pooling.average_rows import AVERAGE_POOL_2D_ROWS
from tinynas.kernels.pooling.reference import AVERAGE_POOL_2D, MAX_POOL_2D

KERNELS = (AVERAGE_POOL_2D, AVERAGE_POOL_2D_ROWS, MAX_POOL_2D)
