"""A plain convolutional network, scaled by hand: what most people deploy, and a baseline that a search must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind
from tinynas.spaces._scaling import scale_by_hand

_WIDTHS = tuple(range(4, 68, 4))
_CONVOLUTIONS = (1, 2, 3)
_STAGES = (2, 3, 4)
_STEM_STRIDES = (1, 2)
_ABOUT_THE_MOST = 0.9  # of the MACs: from there on depth is worth more


def plain_cnn_architecture(
    width: int,
    resolution: int,
    input_channels: int = 3,
    classes: int = 1000,
    *,
    stages: int = 3,
    convolutions: int = 2,
    stem_stride: int = 1,
) -> Architecture:
    """Stages of 3x3 convolutions with a 2x2 max pool between them, each of twice the channels of the one before.

    The plan of VGG (Simonyan and Zisserman 2015, table 1), with a global average in place of its fully connected
    layers (Lin et al. 2014, section 3.2).

    Args:
        width: channels of the first stage.
        resolution: side of the square input in pixels.
        input_channels: channels of the input image.
        classes: number of logits.
        stages: how often channels are set.
        convolutions: of each stage.
        stem_stride: of the first convolution.

    Raises:
        SpaceError: an argument is not positive.
    """
    if min(width, resolution, input_channels, classes, stages, convolutions, stem_stride) <= 0:
        raise SpaceError("every argument of a plain network must be positive")
    input_shape = (1, resolution, resolution, input_channels)
    blocks: list[Block] = []

    def append(name: str, kind: str, **settings: int) -> None:
        blocks.append(block_kind(kind).block(name, blocks[-1].output_shape if blocks else input_shape, settings))

    for stage in range(1, stages + 1):
        if stage > 1:
            append(f"stage{stage}.pool", "max_pool", stride=2)
        for i in range(1, convolutions + 1):
            stride = stem_stride if stage == i == 1 else 1
            append(f"stage{stage}.block{i}", "conv", out_channels=width * 2 ** (stage - 1), stride=stride, kernel=3)
    append("head", "classifier", classes=classes)
    name = f"plain-cnn-c{width}-n{convolutions}x{stages}-s{stem_stride}-r{resolution}"
    return Architecture(tuple(blocks), input_shape, name)


def scale_plain_cnn(
    fits: Callable[[Architecture], bool],
    resolutions: Sequence[int],
    input_channels: int = 3,
    classes: int = 1000,
) -> Architecture | None:
    """A plain network as a diligent engineer would scale it to a budget by hand.

    For each resolution, number of stages and of convolutions, and stride of the first convolution: the largest width
    that fits, in steps of four channels; of those with at least nine tenths of the most MACs the deepest, since two
    wide layers learn less than six narrow ones (He and Sun 2015, "Convolutional Neural Networks at Constrained Time
    Cost").

    Args:
        fits: whether a network meets every budget.
        resolutions: candidate input resolutions in pixels; give one to hold it fixed.
        input_channels: channels of the input image.
        classes: number of logits.

    Returns:
        The network, or None if no candidate fits.
    """
    return scale_by_hand(
        (
            (
                plain_cnn_architecture(
                    width,
                    resolution,
                    input_channels,
                    classes,
                    stages=stages,
                    convolutions=convolutions,
                    stem_stride=stem_stride,
                )
                for width in reversed(_WIDTHS)
            )
            for resolution, stages, convolutions, stem_stride in product(
                resolutions, _STAGES, _CONVOLUTIONS, _STEM_STRIDES
            )
        ),
        fits,
        about=_ABOUT_THE_MOST,
    )
