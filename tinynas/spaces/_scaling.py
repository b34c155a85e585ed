"""How networks are scaled to a budget by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tinynas.graph import count_macs
from tinynas.spaces._block import Architecture
from tinynas.spaces._graphs import build_graph


def scale_by_hand(
    ladders: Iterable[Iterable[Architecture]], fits: Callable[[Architecture], bool], *, about: float = 1.0
) -> Architecture | None:
    """Of each ladder the first network that fits; of these the deepest of those with about the most MACs.

    Args:
        ladders: networks that differ in width alone, from the widest down.
        fits: whether a network meets every budget.
        about: the share of the most MACs from which on depth decides, and MACs only between networks of equal depth;
            at 1 MACs decide alone, and the first of equal ones is taken.

    Returns:
        The network, or None if none fits.
    """
    fitting = (next((network for network in ladder if fits(network)), None) for ladder in ladders)
    macs = {network: count_macs(build_graph(network)) for network in fitting if network is not None}
    least = about * max(macs.values(), default=0)
    most = [network for network in macs if macs[network] >= least]
    if about == 1.0:
        return most[0] if most else None
    return max(most, key=lambda network: (len(network.blocks), macs[network]), default=None)
