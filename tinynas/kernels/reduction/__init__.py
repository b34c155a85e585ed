"""Kernels that reduce dimensions."""

from tinynas.kernels.reduction.mean import MEAN

KERNELS = (MEAN,)
