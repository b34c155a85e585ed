"""Convolutions of whole images, and depthwise ones of a single input channel."""

from tinynas.kernels.conv_2d import gemm_2x4, reference, swar, swar_w16

KERNELS = (
    swar.CONV_1X1_SWAR,
    swar.CONV_2D_SWAR,
    swar_w16.CONV_1X1_SWAR_W16,
    swar_w16.CONV_2D_SWAR_W16,
    gemm_2x4.CONV_1X1,
    gemm_2x4.CONV_2D_IM2COL,
    *gemm_2x4.W16,
    reference.CONV_2D,
)
"""In the order of preference."""
