"""Fully connected layers."""

from tinynas.kernels.fully_connected import armv6m, dsp, reference

KERNELS = (dsp.FULLY_CONNECTED_IN_FOURS, armv6m.FULLY_CONNECTED_IN_WORDS, reference.FULLY_CONNECTED)
"""In the order of preference."""
