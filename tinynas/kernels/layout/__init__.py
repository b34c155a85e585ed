"""Kernels that move elements and compute nothing."""

from tinynas.kernels.layout.concatenation import CONCATENATION
from tinynas.kernels.layout.pad import PAD
from tinynas.kernels.layout.resize_nearest_neighbor import RESIZE_NEAREST_NEIGHBOR
from tinynas.kernels.layout.transpose import TRANSPOSE

KERNELS = (CONCATENATION, PAD, RESIZE_NEAREST_NEIGHBOR, TRANSPOSE)
