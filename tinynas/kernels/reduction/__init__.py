"""Kernels that reduce dimensions."""

from tinynas.kernels.reduction.mean import MEAN
from tinynas.kernels.reduction.mean_rows import MEAN_ROWS

KERNELS = (MEAN, MEAN_ROWS)
