"""Pooling."""

from tinynas.kernels.pooling.reference import AVERAGE_POOL_2D, MAX_POOL_2D

KERNELS = (AVERAGE_POOL_2D, MAX_POOL_2D)
