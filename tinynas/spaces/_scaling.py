"""How networks are scaled to a budget by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tinynas.graph import count_macs
from tinynas.spaces._block import Architecture
from tinynas.spaces._graphs import build_graph

_ABOUT_EQUAL = 0.9
"""Of the most MACs: networks above it cost about as much."""


def scale_by_hand(
    ladders: Iterable[Iterable[Architecture]], fits: Callable[[Architecture], bool], *, deepest: bool = False
) -> Architecture | None:
    """Of each ladder the first network that fits; of these the one with the most MACs, the first of equal ones.

    Args:
        ladders: networks that differ in width alone, from the widest down.
        fits: whether a network meets every budget.
        deepest: take the one of the most blocks among those that have at least nine tenths of the most MACs.

    Returns:
        The network, or None if none fits.
    """
    fitting = (next((network for network in ladder if fits(network)), None) for ladder in ladders)
    macs = {network: count_macs(build_graph(network)) for network in fitting if network is not None}
    if not macs:
        return None
    least = _ABOUT_EQUAL * max(macs.values()) if deepest else max(macs.values())
    return max(
        (network for network in macs if macs[network] >= least),
        key=lambda network: (len(network.blocks) if deepest else 0, macs[network]),
    )
