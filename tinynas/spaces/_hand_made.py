"""Networks that people scale by hand, by name: the baselines that a search must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tinynas.spaces._block import Architecture
from tinynas.spaces._mobilenet_v2 import scale_mobilenet_v2
from tinynas.spaces._plain_cnn import scale_plain_cnn


class Scale(Protocol):
    """Scales a network to a budget."""

    def __call__(
        self,
        fits: Callable[[Architecture], bool],
        resolutions: Sequence[int],
        input_channels: int = 3,
        classes: int = 1000,
    ) -> Architecture | None:
        """The network that fits, or None if no candidate does."""
        ...


class HandMade(NamedTuple):
    """A kind of network that people scale by hand.

    Attributes:
        label: what a report calls it.
        scale: scales it to a budget.
    """

    label: str
    scale: Scale


HAND_MADE = {
    "mobilenet-v2": HandMade("MobileNetV2", scale_mobilenet_v2),
    "plain-cnn": HandMade("plain convolutions", scale_plain_cnn),
}
"""By the name in configurations."""
