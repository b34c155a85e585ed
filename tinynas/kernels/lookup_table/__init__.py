"""Operators that compute each element on its own, as tables of 256 entries."""

from tinynas.kernels.lookup_table.reference import LOOKUP_TABLE

KERNELS = (LOOKUP_TABLE,)
