"""Which parts of a network to run row by row: the fastest mix with the rest as a whole, for every size of the arena.

The network is a path over the places where a single tensor is alive. From one of them to the next lies a cell as a
whole, to any later one of the same stretch a streamed segment at some granularity, and from the first place to some
later ones the first layers in patches. The arena of a path is the maximum over its edges, ticks are a sum
(`_stream_cells`), so the paths that no other one beats in both are found place by place: each keeps those to it
(Bellman's principle holds for a pair of a maximum and a sum, since both are monotone).

Where the input comes row by row, what leads away from the first place is a segment with a window for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from tinynas.kernels.streaming import BEGUN_BYTES
from tinynas.lowering import PatchPlan, StreamPlan
from tinynas.memory._patching import PatchedStage
from tinynas.memory._stream_cells import GRANULARITIES, Cell, KernelTicks
from tinynas.memory._stream_links import Links
from tinynas.memory._stream_segments import Edge, SegmentTable, held_segments, pushed_segments
from tinynas.memory._stream_ticks import SummedTicks, UnknownTicksError, call_ticks


@dataclass(frozen=True)
class StreamChoice:
    """A way to execute a network, as a whole and row by row.

    Attributes:
        arena_bytes: What it takes, to the byte.
        ticks: What its kernels take; see `KernelTicks`.
        streams: The segments; empty where the network runs as a whole.
        patches: Of the first layers; None for none.
    """

    arena_bytes: int
    ticks: float
    streams: tuple[StreamPlan, ...]
    patches: PatchPlan | None = None


def stream_choices(
    cells: Sequence[Cell],
    ticks: KernelTicks = call_ticks,
    *,
    most_bytes: int | None = None,
    pushed: bool = False,
    stages: Iterable[PatchedStage] = (),
) -> list[StreamChoice]:
    """All ways to execute a chain of cells that none beats in both arena and ticks, by growing arena.

    Segments have one granularity each, and take no more than the network as a whole.

    Args:
        cells: Of the whole network, in order.
        ticks: What kernels take; where they are not known of some kernel, calls are counted in their place.
        most_bytes: Ways that take a larger arena are left out; the result may be empty then.
        pushed: The input comes row by row: all ways begin with a segment for it. The result is empty where none can.
        stages: First cells in patches, which may be part of a way; not where calls are counted, nor where the input
            comes row by row.
    """
    beside = BEGUN_BYTES if pushed else 0
    room = None if most_bytes is None else most_bytes - beside
    try:
        known = SummedTicks(ticks)
        edges = _edges(cells, known, room, pushed)
        for stage in stages if not pushed else ():
            in_patches = Edge(0, stage.cells, stage.arena_bytes, known.steps(stage.steps), (), patches=stage.plan)
            edges[0].append(in_patches)
    except UnknownTicksError:
        edges = _edges(cells, SummedTicks(call_ticks), room, pushed)
    candidates: list[list[_Candidate]] = [[] for _ in range(len(cells) + 1)]
    paths = [_Path(0, 0.0, None, None)]
    for place in range(len(cells)):
        arenas = [path.arena_bytes for path in paths]
        for edge in _unbeaten(edges[place]):
            # Of the paths that the edge's arena has room for, the last one is the fastest.
            larger = bisect_right(arenas, edge.arena_bytes)
            into = candidates[edge.end]
            if larger:
                into.append((edge.arena_bytes, paths[larger - 1].ticks + edge.ticks, edge, paths[larger - 1]))
            into += [(path.arena_bytes, path.ticks + edge.ticks, edge, path) for path in paths[larger:]]
        paths = _front(candidates[place + 1])
    positions = [0]
    for cell in cells:
        positions.append(positions[-1] + cell.steps)
    return [
        StreamChoice(path.arena_bytes + beside, path.ticks, path.streams(positions), path.patches) for path in paths
    ]


class _Path(NamedTuple):
    """Some edges in a row, the last of them and what is before it."""

    arena_bytes: int
    ticks: float
    edge: Edge | None
    before: _Path | None

    def streams(self, positions: Sequence[int]) -> tuple[StreamPlan, ...]:
        found: list[StreamPlan] = []
        path: _Path | None = self
        while path is not None and path.edge is not None:
            if path.edge.rows:
                found.append(StreamPlan(positions[path.edge.first], path.edge.rows, path.edge.pushed))
            path = path.before
        return tuple(reversed(found))

    @property
    def patches(self) -> PatchPlan | None:
        """Those that it begins with."""
        path = self
        while path.before is not None and path.before.edge is not None:
            path = path.before
        return None if path.edge is None else path.edge.patches


_Candidate = tuple[int, float, Edge, _Path]
"""What may become a path; few do."""


def _front(candidates: Sequence[_Candidate]) -> list[_Path]:
    """The paths that none beats in both, by growing arena."""
    front: list[_Path] = []
    for candidate in sorted(candidates, key=itemgetter(0, 1)):
        if not front or candidate[1] < front[-1].ticks:
            front.append(_Path(*candidate))
    return front


def _unbeaten(edges: Sequence[Edge]) -> Iterator[Edge]:
    """Edges from one place, each once, but for those that one to the same place beats in ticks, in no more bytes."""
    by_end: dict[int, list[Edge]] = {}
    for edge in edges:
        by_end.setdefault(edge.end, []).append(edge)
    for rivals in by_end.values():
        seen = set()
        for edge in rivals:
            for rival in rivals:
                if rival.ticks < edge.ticks and rival.arena_bytes <= edge.arena_bytes:
                    break
            else:
                if (edge.rows, edge.patches) not in seen:
                    seen.add((edge.rows, edge.patches))
                    yield edge


def _edges(cells: Sequence[Cell], ticks: SummedTicks, most_bytes: int | None, pushed: bool) -> list[list[Edge]]:
    """By first cell, what leads from there to a later one."""
    edges: list[list[Edge]] = [[] for _ in cells]
    plain = [ticks.plain(cell) for cell in cells]
    for index, cell in enumerate(cells):
        if (most_bytes is None or cell.arena_bytes <= most_bytes) and not (pushed and index == 0):
            edges[index].append(Edge(index, index + 1, cell.arena_bytes, plain[index], ()))
    if not cells:
        return edges
    streamed = [[cell.streamed.get(granularity) for cell in cells] for granularity in GRANULARITIES]
    links = Links(cells, ticks)
    chains = [links.chain(of) for of in streamed]
    worst = max(cell.arena_bytes for cell in cells)
    limit = worst if most_bytes is None else min(worst, most_bytes)
    for segment in held_segments(chains, SegmentTable.of(cells, chains, ticks, plain), limit):
        if not (pushed and segment.first == 0):
            edges[segment.first].append(segment)
    if pushed:
        for of in streamed:
            edges[0] += pushed_segments(cells, of, ticks, most_bytes)
    return edges
