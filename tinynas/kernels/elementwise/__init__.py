"""Kernels that compute element by element."""

from tinynas.kernels.elementwise.add import ADD, ADD_BROADCAST
from tinynas.kernels.elementwise.mul import MUL, MUL_BROADCAST
from tinynas.kernels.elementwise.requantize import REQUANTIZE

KERNELS = (ADD, ADD_BROADCAST, MUL, MUL_BROADCAST, REQUANTIZE)
"""In the order of preference."""
