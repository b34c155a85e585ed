"""MobileNetV2 shrunk by hand: the baseline that a search must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._kinds import SpaceError, block_kind
from tinynas.spaces._space import round_channels

# Expansion, channels, repeats, stride of the first: Sandler et al. 2018, table 2.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_STEM_CHANNELS = 32
_DIVISOR = 8
# Below this side a 3x3 kernel sees mostly padding; who adapts the network to small images drops the strides there.
_SMALLEST_MAP = 3

WIDTHS = tuple(i / 100 for i in range(5, 145, 5))


def mobilenet_v2_architecture(
    width: float, resolution: int, input_channels: int = 3, classes: int = 1000
) -> Architecture:
    """MobileNetV2 (Sandler et al. 2018, table 2) at a width multiplier and input resolution.

    Two usual concessions to microcontrollers: the 1280-channel convolution before the classifier is left out (alone
    it would outweigh the rest), and a stride that would shrink the map below 3x3 is dropped, the late ones first to
    go, because the early ones are what makes the SRAM fit. Channels are multiples of 8, as in the original.

    Raises:
        SpaceError: an argument is not positive.
    """
    if min(width, resolution, input_channels, classes) <= 0:
        raise SpaceError("width, resolution, input channels and classes of a MobileNetV2 must be positive")
    input_shape = (1, resolution, resolution, input_channels)
    stem_settings = {"out_channels": round_channels(_STEM_CHANNELS * width, _DIVISOR), "stride": 2, "kernel": 3}
    blocks: list[Block] = [block_kind("conv").block("stem", input_shape, stem_settings)]
    bottleneck = block_kind("inverted_bottleneck")
    for s, (expansion, channels, repeats, stride) in enumerate(_STAGES, start=1):
        for b in range(1, repeats + 1):
            shape = blocks[-1].output_shape
            keeps_map = b > 1 or -(-shape[1] // stride) < _SMALLEST_MAP
            settings = {
                "out_channels": round_channels(channels * width, _DIVISOR),
                "stride": 1 if keeps_map else stride,
                "kernel": 3,
                "expansion": expansion,
            }
            blocks.append(bottleneck.block(f"stage{s}.block{b}", shape, settings))
    blocks.append(block_kind("classifier").block("head", blocks[-1].output_shape, {"classes": classes}))
    return Architecture(tuple(blocks), input_shape, f"mobilenet-v2-w{width:g}-r{resolution}")


def scale_mobilenet_v2(
    fits: Callable[[Architecture], bool],
    resolutions: Sequence[int],
    input_channels: int = 3,
    classes: int = 1000,
    widths: Sequence[float] = WIDTHS,
) -> Architecture | None:
    """MobileNetV2 as an engineer would scale it to a budget by hand.

    The image keeps its size as long as any width fits: the largest width multiplier that fits at the largest
    resolution at which one does.

    Args:
        fits: whether a network meets every budget.
        resolutions: candidate input resolutions in pixels; give one to hold it fixed.
        input_channels: channels of the input image.
        classes: number of logits.
        widths: candidate width multipliers.

    Returns:
        The network, or None if no candidate fits.
    """
    for resolution in sorted(resolutions, reverse=True):
        for width in sorted(widths, reverse=True):
            architecture = mobilenet_v2_architecture(width, resolution, input_channels, classes)
            if fits(architecture):
                return architecture
    return None
