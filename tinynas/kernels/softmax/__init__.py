"""SOFTMAX."""

from tinynas.kernels.softmax.reference import SOFTMAX

KERNELS = (SOFTMAX,)
