"""Fully connected layers."""

from tinynas.kernels.fully_connected import armv6m, dsp, partial_sums, reference

KERNELS = (
    dsp.FULLY_CONNECTED_IN_FOURS,
    armv6m.FULLY_CONNECTED_IN_WORDS,
    reference.FULLY_CONNECTED,
    partial_sums.FULLY_CONNECTED_ROWS,
)
"""In the order of preference."""
