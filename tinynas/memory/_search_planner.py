"""The searched plan: reaches the lower bound wherever an arrangement exists that does and the effort allows.

The problem is dynamic storage allocation, with two optional pins: one range at the bottom of the arena (a segment's
input) and one at its top (the segment's output).

1. First fit over a few fixed orders (size, area, length of life, start): most segments end here, at the lower bound.
2. Branch and bound over a skyline. Ranges are placed by non-decreasing offset, each resting on the highest range
   below it. Some optimal plan has this form: of all optimal plans take the one with the least sum of offsets; in it
   every range rests on another or on the floor, else it could sink. The bound of a partial plan is, for each
   step, the skyline plus what is still to be placed there.
3. If the nodes run out first, hill climbing by swaps over first-fit orders, from a fixed seed.

A range pinned to the top is left out of the placement and laid on the skyline at the end: it may always move
further up, because nothing lies above it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from tinynas.memory._greedy import place_in_order
from tinynas.memory._live_ranges import LiveRange, lower_bound

NODE_LIMIT = 20_000
"""Nodes of the branch and bound before it gives up: about 0.3 s. Segments of real networks need a few dozen."""

DEPTH_LIMIT = 300
"""Ranges above which the branch and bound, which recurses once per range, is left out."""

SWAP_LIMIT = 400
"""Swaps tried by the hill climb, which only runs where the nodes ran out."""


def plan_search(
    ranges: Sequence[LiveRange],
    bottom: int | None = None,
    top: int | None = None,
    *,
    node_limit: int = NODE_LIMIT,
    swap_limit: int = SWAP_LIMIT,
) -> tuple[list[int], int]:
    """Plan `ranges`, whose sizes are already aligned, in as few bytes as the effort finds.

    Args:
        ranges: What to place.
        bottom: Index of a range that must lie at offset 0, or None.
        top: Index of a range, not `bottom`, that must end at the end of the arena, or None.
        node_limit: Nodes of the branch and bound.
        swap_limit: Swaps of the hill climb.

    Returns:
        The byte offset of each range and the bytes of the arena. The same ranges always give the same plan.
    """
    if bottom is not None and bottom == top:
        raise ValueError("one range cannot be pinned to both ends; pin it to the bottom only")
    search = _Search(ranges, bottom, top)
    search.try_fixed_orders()
    if search.best_bytes > search.bound:
        exhausted = len(search.free) <= DEPTH_LIMIT and search.branch_and_bound(node_limit)
        if not exhausted and search.best_bytes > search.bound:
            search.climb(swap_limit)
    return search.best_offsets, search.best_bytes


class _Search:
    """The best plan found so far, and the three ways of looking for a better one."""

    def __init__(self, ranges: Sequence[LiveRange], bottom: int | None, top: int | None) -> None:
        self.ranges = ranges
        self.bottom = bottom
        self.top = top
        self.free = [i for i in range(len(ranges)) if i not in (bottom, top)]
        self.bound = lower_bound(ranges)
        self.best_bytes = sum(r.size_bytes for r in ranges) + 1
        self.best_offsets: list[int] = []
        self.best_order: list[int] = []

    def try_fixed_orders(self) -> None:
        def area(r: LiveRange) -> int:
            return r.size_bytes * (r.end - r.start + 1)

        keys = (
            lambda i: (-self.ranges[i].size_bytes, self.ranges[i].start),
            lambda i: (-area(self.ranges[i]), self.ranges[i].start),
            lambda i: (self.ranges[i].start - self.ranges[i].end, -self.ranges[i].size_bytes),
            lambda i: (self.ranges[i].start, -self.ranges[i].size_bytes),
            lambda i: (-self.ranges[i].end, -self.ranges[i].size_bytes),
        )
        for key in keys:
            self.try_order(sorted(self.free, key=key))
            if self.best_bytes == self.bound:
                return

    def try_order(self, order: list[int]) -> None:
        """First fit in this order; keeps the plan if it is better."""
        pinned = [] if self.bottom is None else [self.bottom]
        offsets = place_in_order(self.ranges, [*pinned, *order])
        self.keep(offsets, order)

    def keep(self, offsets: list[int], order: list[int]) -> None:
        """Lay the top range on what is below it, and keep the plan if it is better than the best."""
        total = max((offsets[i] + self.ranges[i].size_bytes for i in range(len(offsets)) if i != self.top), default=0)
        if self.top is not None:
            last = self.ranges[self.top]
            beneath = (
                offsets[i] + r.size_bytes for i, r in enumerate(self.ranges) if i != self.top and r.overlaps(last)
            )
            total = max(total, max(beneath, default=0) + last.size_bytes)
            offsets[self.top] = total - last.size_bytes
        if total < self.best_bytes:
            self.best_bytes, self.best_offsets, self.best_order = total, offsets, order

    def branch_and_bound(self, node_limit: int) -> bool:
        """Search all skyline plans. Returns whether the search was complete."""
        steps = range(max(r.end for r in self.ranges) + 1)
        remaining = [sum(r.size_bytes for r in self.ranges if r.start <= t <= r.end) for t in steps]
        skyline = [0] * len(steps)
        offsets = [0] * len(self.ranges)
        nodes = node_limit

        def place(index: int, offset: int) -> list[int]:
            r = self.ranges[index]
            span = slice(r.start, r.end + 1)
            before = skyline[span]
            skyline[span] = [offset + r.size_bytes] * len(before)
            remaining[span] = [b - r.size_bytes for b in remaining[span]]
            offsets[index] = offset
            return before

        def lift(index: int, before: list[int]) -> None:
            r = self.ranges[index]
            span = slice(r.start, r.end + 1)
            skyline[span] = before
            remaining[span] = [b + r.size_bytes for b in remaining[span]]

        def descend(left: list[int], order: list[int], floor: int) -> bool:
            nonlocal nodes
            if not left:
                self.keep(list(offsets), list(order))
                return True
            rests = sorted((max(skyline[self.ranges[i].start : self.ranges[i].end + 1]), i) for i in left)
            for offset, index in rests:
                if offset < floor:
                    continue  # this order is not by offset: the plan is met in another branch
                nodes -= 1
                if nodes < 0:
                    return False
                before = place(index, offset)
                possible = max(s + b for s, b in zip(skyline, remaining, strict=True)) < self.best_bytes
                complete = not possible or descend([i for i in left if i != index], [*order, index], offset)
                lift(index, before)
                if not complete or self.best_bytes == self.bound:
                    return complete
            return True

        if self.bottom is not None:
            place(self.bottom, 0)
        by_size = sorted(self.free, key=lambda i: -self.ranges[i].size_bytes)
        return descend(by_size, [], 0)

    def climb(self, swap_limit: int) -> None:
        """Swap two ranges of the best order, keep what improves or equals it."""
        rng = random.Random(0)
        order = list(self.best_order)
        for _ in range(swap_limit):
            if self.best_bytes == self.bound or len(order) < 2:
                return
            i, j = rng.sample(range(len(order)), 2)
            candidate = list(order)
            candidate[i], candidate[j] = candidate[j], candidate[i]
            before = self.best_bytes
            self.try_order(candidate)
            if self.best_bytes < before:
                order = candidate
