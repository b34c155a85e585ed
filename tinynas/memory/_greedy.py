"""TFLM's greedy planner: the largest range first, each at the lowest address where it fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinynas.memory._live_ranges import LiveRange, align

TFLM_ALIGNMENT = 16
"""TFLM aligns every buffer to 16 bytes: `MicroArenaBufferAlignment` in micro_allocator/arena sources."""


def first_fit(placed: Iterable[tuple[int, int]], size_bytes: int) -> int:
    """Return the lowest offset at which `size_bytes` fit beside the `placed` intervals (offset, size)."""
    offset = 0
    for start, size in sorted(placed):
        if offset + size_bytes <= start:
            break
        offset = max(offset, start + size)
    return offset


def place_in_order(ranges: Sequence[LiveRange], order: Sequence[int]) -> list[int]:
    """Place the ranges in the given order, each by first fit among those placed before that overlap it in time.

    Returns:
        The byte offset of each range, in the order of `ranges`.
    """
    offsets = [0] * len(ranges)
    done: list[int] = []
    for index in order:
        beside = [(offsets[j], ranges[j].size_bytes) for j in done if ranges[j].overlaps(ranges[index])]
        offsets[index] = first_fit(beside, ranges[index].size_bytes)
        done.append(index)
    return offsets


def plan_greedy(ranges: Sequence[LiveRange], alignment: int = TFLM_ALIGNMENT) -> list[int]:
    """Plan as TFLM's GreedyMemoryPlanner does.

    Sizes are rounded up to `alignment`; ranges are taken by size, descending, equal sizes in the order of creation;
    each goes to the lowest gap among the ranges placed so far that overlap it in time. TFLM's sort is a reverse
    bubble sort over (size), stable for equal sizes (greedy_memory_planner.cc).

    Returns:
        The byte offset of each range, in the order of `ranges`.
    """
    aligned = [LiveRange(r.start, r.end, align(r.size_bytes, alignment)) for r in ranges]
    order = sorted(range(len(aligned)), key=lambda i: -aligned[i].size_bytes)
    return place_in_order(aligned, order)


def extent(ranges: Sequence[LiveRange], offsets: Sequence[int]) -> int:
    """Return the bytes a plan takes: the highest end of any range."""
    return max((offset + r.size_bytes for offset, r in zip(offsets, ranges, strict=True)), default=0)
