"""The best kernel for each layer where flash is short: a knapsack whose items share their boxes.

Every layer takes one of a few options. An option's ticks and constants are its own; the code of its kernel is paid
once, whoever else uses it. Wanted are the fewest ticks that fit and, among those, the least flash.

Branch and bound over the kernels that are linked. A node says that some kernels are linked, and their code paid, and
that some are banned; the others are open. Its bound is the best choice of options that are not banned as if the code
of open kernels took nothing: a multiple-choice knapsack over constants alone (Sinha and Zoltners 1979, "The
Multiple-Choice Knapsack Problem"), solved exactly by dynamic programming over words. Where that uses linked kernels
only, it is a choice. Otherwise, of the open kernels that it uses, the one of most code is linked in one child and
banned in the other. Nodes of the lowest bound come first: the first whose bound is no better than the best choice
proves that one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NODE_LIMIT = 256
"""Nodes before the best choice found is taken as it is: seconds. Networks of our spaces need a few dozen."""

Room = Callable[[frozenset[str]], int]
"""Bytes of constants that fit beside the code of some kernels. It never grows with the set."""


@dataclass(frozen=True)
class Option:
    """A layer, executed by one kernel."""

    variant: str
    ticks: int
    constant_bytes: int


@dataclass(frozen=True)
class Choice:
    """One option for each layer, by position.

    `bound` is a number of ticks that no choice that fits can go below: equal to `ticks` where this one is optimal.
    """

    options: tuple[int, ...]
    ticks: int
    bound: int


@dataclass(frozen=True, order=True)
class _Node:
    """Ordered by its bound: ticks, and then flash, as the room that is left."""

    ticks: int
    taken: int
    number: int
    options: tuple[int, ...]
    linked: frozenset[str]
    banned: frozenset[str]


def choose_options(layers: Sequence[Sequence[Option]], room: Room, node_limit: int = NODE_LIMIT) -> Choice | None:
    """The options that take the fewest ticks together, and of those the least flash; None where nothing fits.

    Args:
        layers: The options of each layer, at least one, no two of one kernel.
        room: What fits.
        node_limit: Nodes that are looked at. More than `2 ** (k + 1)` for k kernels are never needed.
    """
    search = _Search(layers, room)
    heap = search.nodes(frozenset(), frozenset())
    best: _Node | None = None
    while heap:
        node = heapq.heappop(heap)
        if best is not None and (node.ticks, node.taken) >= (best.ticks, best.taken):
            return Choice(best.options, best.ticks, best.ticks)
        if search.looked_at > node_limit and best is not None:
            return Choice(best.options, best.ticks, node.ticks)
        chosen = search.chosen(node)
        if chosen is not None and (best is None or (chosen.ticks, chosen.taken) < (best.ticks, best.taken)):
            best = chosen
        undecided = search.variants(node.options) - node.linked
        if undecided:
            variant = min(undecided, key=lambda v: (room(node.linked | {v}), v))
            for child in (
                *search.nodes(node.linked | {variant}, node.banned),
                *search.nodes(node.linked, node.banned | {variant}),
            ):
                heapq.heappush(heap, child)
    return None if best is None else Choice(best.options, best.ticks, best.ticks)


class _Search:
    """One problem, and the number of its nodes that were made."""

    def __init__(self, layers: Sequence[Sequence[Option]], room: Room) -> None:
        self._layers = layers
        self._room = room
        self.looked_at = 0

    def variants(self, options: Sequence[int]) -> frozenset[str]:
        return frozenset(layer[o].variant for layer, o in zip(self._layers, options, strict=True))

    def nodes(self, linked: frozenset[str], banned: frozenset[str]) -> list[_Node]:
        """The node with these kernels, or none where nothing can fit."""
        allowed = [[o for o, option in enumerate(layer) if option.variant not in banned] for layer in self._layers]
        if not all(allowed):
            return []
        linked = linked | {layer[a[0]].variant for layer, a in zip(self._layers, allowed, strict=True) if len(a) == 1}
        capacity = self._room(linked)
        self.looked_at += 1
        # Of equal options the one whose kernel is linked first.
        fronts = [
            _front([(layer[o], o) for o in sorted(a, key=lambda o: layer[o].variant not in linked)])
            for layer, a in zip(self._layers, allowed, strict=True)
        ]
        places = _multiple_choice([[option for option, _ in front] for front in fronts], capacity)
        if places is None:
            return []
        options = tuple(front[place][1] for front, place in zip(fronts, places, strict=True))
        ticks, constants = self._sums(options)
        return [_Node(ticks, constants - capacity, self.looked_at, options, linked, banned)]

    def chosen(self, node: _Node) -> _Node | None:
        """The node's options with all the code that they need; None where they do not fit."""
        used = self.variants(node.options)
        ticks, constants = self._sums(node.options)
        taken = constants - self._room(used)
        return None if taken > 0 else _Node(ticks, taken, node.number, node.options, used, node.banned)

    def _sums(self, options: Sequence[int]) -> tuple[int, int]:
        taken = [layer[o] for layer, o in zip(self._layers, options, strict=True)]
        return sum(option.ticks for option in taken), sum(option.constant_bytes for option in taken)


def _front(options: Sequence[tuple[Option, int]]) -> list[tuple[Option, int]]:
    """The options that none beats in both ticks and constants, by growing constants."""
    front: list[tuple[Option, int]] = []
    for option, place in sorted(options, key=lambda entry: (entry[0].constant_bytes, entry[0].ticks)):
        if not front or option.ticks < front[-1][0].ticks:
            front.append((option, place))
    return front


def _multiple_choice(layers: Sequence[Sequence[Option]], capacity: int) -> list[int] | None:
    """The place of one option in each layer: the fewest ticks whose constants fit, and of those the fewest constants.

    Layers are fronts (`_front`). None where not even the smallest constants fit.
    """
    spare = capacity - sum(layer[0].constant_bytes for layer in layers)
    if spare < 0:
        return None
    more = [[option.constant_bytes - layer[0].constant_bytes for option in layer] for layer in layers]
    if sum(m[-1] for m in more) <= spare:
        return [len(layer) - 1 for layer in layers]
    grain = math.gcd(*(size for m in more for size in m))
    spare //= grain
    # ticks[w]: the fewest with at most w grains beyond the smallest constants, over the layers so far.
    ticks: npt.NDArray[np.int64] = np.zeros(spare + 1, np.int64)
    taken: list[npt.NDArray[np.uint8]] = []
    for layer, sizes in zip(layers, more, strict=True):
        best = ticks + layer[0].ticks
        place = np.zeros(spare + 1, np.uint8)
        for index, size in enumerate(sizes[1:], 1):
            grains = size // grain
            if grains > spare:
                break
            with_it = ticks[: spare + 1 - grains] + layer[index].ticks
            faster = with_it < best[grains:]
            best[grains:][faster] = with_it[faster]
            place[grains:][faster] = index
        ticks = best
        taken.append(place)
    width = int(np.argmax(ticks == ticks[-1]))
    places = []
    for sizes, place in zip(reversed(more), reversed(taken), strict=True):
        index = int(place[width])
        places.append(index)
        width -= sizes[index] // grain
    return places[::-1]
