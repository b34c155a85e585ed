"""How networks are scaled to a budget by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tinynas.graph import count_macs
from tinynas.spaces._block import Architecture
from tinynas.spaces._graphs import build_graph


def scale_by_hand(
    ladders: Iterable[Iterable[Architecture]], fits: Callable[[Architecture], bool]
) -> Architecture | None:
    """Of each ladder the first network that fits; of these the one with the most MACs, the first of equal ones.

    Args:
        ladders: networks that differ in width alone, from the widest down.
        fits: whether a network meets every budget.

    Returns:
        The network, or None if none fits.
    """
    fitting = (next((network for network in ladder if fits(network)), None) for ladder in ladders)
    found = [network for network in fitting if network is not None]
    return max(found, key=lambda network: count_macs(build_graph(network)), default=None)
