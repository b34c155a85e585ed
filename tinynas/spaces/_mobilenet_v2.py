"""MobileNetV2 shrunk by hand: the baseline that a search must beat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._chain_space import round_channels
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind
from tinynas.spaces._scaling import scale_by_hand

# Expansion factor, channels, repeats, stride of the first: Sandler et al. 2018, table 2.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_STEM_CHANNELS = 32
_DIVISOR = 8
# Below this side a 3x3 kernel sees mostly padding: who adapts the network to small images drops the strides there.
_SMALLEST_MAP = 3

_WIDTHS = tuple(i / 100 for i in range(5, 145, 5))
_DEPTHS = (1.0, 0.5, 0.25)
_EXPANSIONS = (6, 4, 3)


def mobilenet_v2_architecture(
    width: float,
    resolution: int,
    input_channels: int = 3,
    classes: int = 1000,
    *,
    depth: float = 1.0,
    expansion: int = 6,
) -> Architecture:
    """MobileNetV2 (Sandler et al. 2018, table 2), scaled uniformly.

    Two usual concessions to microcontrollers: the 1280-channel convolution before the classifier is left out (alone
    it would outweigh the rest), and a stride that would shrink the map below 3x3 is dropped; the early strides stay,
    because they are what makes the SRAM fit. Channels are multiples of 8, as in the original.

    Args:
        width: width multiplier.
        resolution: side of the square input in pixels.
        input_channels: channels of the input image.
        classes: number of logits.
        depth: multiplier of each stage's repeats, rounded up.
        expansion: expansion factor of all stages but the first, which has 1.

    Raises:
        SpaceError: an argument is not positive.
    """
    if min(width, resolution, input_channels, classes, depth, expansion) <= 0:
        raise SpaceError("every argument of a MobileNetV2 must be positive")
    input_shape = (1, resolution, resolution, input_channels)
    stem_settings = {"out_channels": round_channels(_STEM_CHANNELS * width, _DIVISOR), "stride": 2, "kernel": 3}
    blocks: list[Block] = [block_kind("conv").block("stem", input_shape, stem_settings)]
    bottleneck = block_kind("inverted_bottleneck")
    for s, (factor, channels, repeats, stride) in enumerate(_STAGES, start=1):
        for b in range(1, math.ceil(repeats * depth) + 1):
            shape = blocks[-1].output_shape
            keeps_map = b > 1 or -(-shape[1] // stride) < _SMALLEST_MAP
            settings = {
                "out_channels": round_channels(channels * width, _DIVISOR),
                "stride": 1 if keeps_map else stride,
                "kernel": 3,
                "expansion": min(factor, expansion),
            }
            blocks.append(bottleneck.block(f"stage{s}.block{b}", shape, settings))
    blocks.append(block_kind("classifier").block("head", blocks[-1].output_shape, {"classes": classes}))
    name = f"mobilenet-v2-w{width:g}-d{depth:g}-t{expansion}-r{resolution}"
    return Architecture(tuple(blocks), input_shape, name)


def scale_mobilenet_v2(
    fits: Callable[[Architecture], bool],
    resolutions: Sequence[int],
    input_channels: int = 3,
    classes: int = 1000,
    *,
    widths: Sequence[float] = _WIDTHS,
    depths: Sequence[float] = _DEPTHS,
    expansions: Sequence[int] = _EXPANSIONS,
) -> Architecture | None:
    """MobileNetV2 as a diligent engineer would scale it to a budget by hand.

    For each resolution, depth and expansion: the largest width that fits; of these the one with the most MACs. On
    boards of some hundred KB this is mostly a matter of width; on the smallest ones, where the original's 17 blocks
    would leave 8 channels each, fewer blocks and less expansion are what a person would try, so the baseline may too.

    Args:
        fits: whether a network meets every budget.
        resolutions: candidate input resolutions in pixels; give one to hold it fixed.
        input_channels: channels of the input image.
        classes: number of logits.
        widths: candidate width multipliers.
        depths: candidate depth multipliers; (1.0,) keeps the original's 17 blocks.
        expansions: candidate expansion factors; (6,) keeps the original's.

    Returns:
        The network, or None if no candidate fits.
    """
    return scale_by_hand(
        (
            (
                mobilenet_v2_architecture(width, resolution, input_channels, classes, depth=depth, expansion=expansion)
                for width in sorted(widths, reverse=True)
            )
            for resolution, depth, expansion in product(resolutions, depths, expansions)
        ),
        fits,
    )
