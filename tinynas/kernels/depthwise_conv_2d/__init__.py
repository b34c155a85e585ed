"""Depthwise convolutions."""

from tinynas.kernels.depthwise_conv_2d import ch4, channel_buffer, reference, swar

KERNELS = (
    swar.SWAR_3X3,
    swar.SWAR,
    ch4.CH4_STRIDE_2,
    *channel_buffer.OVERLAPPED,
    *channel_buffer.PAIRED,
    ch4.CH4,
    reference.DEPTHWISE_CONV_2D,
)
"""In the order of preference."""
