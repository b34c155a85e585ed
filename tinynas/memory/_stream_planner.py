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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NamedTuple

from tinynas.kernels.streaming import BEGUN_BYTES, ROUND_BYTES, SEGMENTS, STREAM, STREAM_ROWS
from tinynas.lowering import MOST_LAYERS, PatchPlan, Step, StreamPlan, copies, output_loops
from tinynas.memory._live_ranges import NATIVE_ALIGNMENT, align
from tinynas.memory._patching import PatchedStage
from tinynas.memory._stream_cells import GRANULARITIES, Cell, KernelTicks, StreamedCell
from tinynas.memory._stream_windows import SegmentLag, input_read, states_bytes, windows_of, written_bytes


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


class _Edge(NamedTuple):
    """From place to place: a cell as a whole, without rows, or some cells row by row or in patches."""

    first: int
    end: int
    arena_bytes: int
    ticks: float
    rows: tuple[int, ...]
    pushed: bool = False
    patches: PatchPlan | None = None


def call_ticks(variant: str, features: Mapping[str, float]) -> float:
    """Ticks where nothing is known of a core: calls of kernels, the fewer the better."""
    return features.get("kernel_calls", 0.0) if variant in SEGMENTS else 0.0


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
        known = _Ticks(ticks)
        edges = _edges(cells, known, room, pushed)
        for stage in stages if not pushed else ():
            in_patches = _Edge(0, stage.cells, stage.arena_bytes, known.steps(stage.steps), (), patches=stage.plan)
            edges[0].append(in_patches)
    except _UnknownTicks:
        edges = _edges(cells, _Ticks(call_ticks), room, pushed)
    candidates: list[list[_Candidate]] = [[] for _ in range(len(cells) + 1)]
    paths = [_Path(0, 0.0, None, None)]
    for place in range(len(cells)):
        arenas = [path.arena_bytes for path in paths]
        for edge in _unbeaten(edges[place]):
            # Of the paths that the edge's arena has room for, the last one is the fastest.
            begin = max(0, bisect_right(arenas, edge.arena_bytes) - 1)
            candidates[edge.end] += [
                (max(path.arena_bytes, edge.arena_bytes), path.ticks + edge.ticks, edge, path) for path in paths[begin:]
            ]
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
    edge: _Edge | None
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


_Candidate = tuple[int, float, _Edge, _Path]
"""What may become a path; few do."""


def _front(candidates: Sequence[_Candidate]) -> list[_Path]:
    """The paths that none beats in both, by growing arena."""
    front: list[_Path] = []
    for candidate in sorted(candidates, key=itemgetter(0, 1)):
        if not front or candidate[1] < front[-1].ticks:
            front.append(_Path(*candidate))
    return front


def _unbeaten(edges: Sequence[_Edge]) -> Iterator[_Edge]:
    """Edges from one place, each once, but for those that one to the same place beats in ticks, in no more bytes."""
    by_end: dict[int, list[_Edge]] = {}
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


class _UnknownTicks(Exception):
    """Of a kernel, or of a loop of one."""


class _Ticks:
    """Sums of ticks, all of them known."""

    def __init__(self, of: KernelTicks) -> None:
        self._of = of

    def kernel(self, variant: str, features: Mapping[str, float]) -> float:
        ticks = self._of(variant, features)
        if ticks is None:
            raise _UnknownTicks
        return ticks

    def plain(self, cell: Cell) -> float:
        """Of a cell as a whole."""
        return self.steps(cell.plain)

    def steps(self, steps: Sequence[Step]) -> float:
        """Of kernel calls."""
        return sum(self.kernel(step.variant, step.features) for step in steps)

    def streamed(self, cell: StreamedCell, segment: str = STREAM.name) -> float:
        """Of a cell row by row: its kernels, and what it adds to the loops around them."""
        kernels = sum(self.kernel(variant, features) for variant, features in cell.kernels)
        return kernels + self.kernel(segment, {"calls": 0.0, **cell.loops})

    def loops(self, loops: Mapping[str, float], segment: str = STREAM.name) -> float:
        """Of rows and windows."""
        return self.kernel(segment, {"calls": 0.0, **loops})

    def segment(self, output_bytes: int) -> float:
        """What a segment takes once: its output is moved."""
        return self.kernel(STREAM.name, {"calls": 1.0, "layers": 1.0, **output_loops(output_bytes)})

    def pushed(self, rows: int, row_bytes: int) -> float:
        """What a segment takes once whose input of so many rows comes row by row."""
        loops = {"calls": 1.0, "layers": 1.0, "input_rows": rows}
        return self.kernel(STREAM_ROWS.name, loops | copies(rows, row_bytes, ROUND_BYTES).loops)


def _edges(cells: Sequence[Cell], ticks: _Ticks, most_bytes: int | None, pushed: bool) -> list[list[_Edge]]:
    """By first cell, what leads from there to a later one."""
    edges: list[list[_Edge]] = [[] for _ in cells]
    for index, cell in enumerate(cells):
        if (most_bytes is None or cell.arena_bytes <= most_bytes) and not (pushed and index == 0):
            edges[index].append(_Edge(index, index + 1, cell.arena_bytes, ticks.plain(cell), ()))
    worst = max((cell.arena_bytes for cell in cells), default=0)
    limit = worst if most_bytes is None else min(worst, most_bytes)
    moved = [ticks.segment(cell.output_shape[0] * cell.output_shape[1]) for cell in cells]
    links = _Links(cells, ticks)
    for granularity in GRANULARITIES:
        streamed = [cell.streamed.get(granularity) for cell in cells]
        chain = links.chain(streamed)
        for end in range(1, len(cells) + 1):
            for segment in _segments_to(cells, chain, end, moved[end - 1], limit):
                if not (pushed and segment.first == 0):
                    edges[segment.first].append(segment)
        if pushed:
            edges[0] += _pushed_segments(cells, streamed, ticks, most_bytes)
    return edges


@dataclass(frozen=True)
class _Link:
    """A cell row by row, as part of a segment of its granularity.

    Attributes:
        cell: The cell.
        ticks: What it takes wherever it is.
        read: What it reads of its input behind calls of its last layer; see `input_read`.
        read_during: The same during these calls.
        input_bytes: Of its input, which is there as a whole where the segment begins with it.
        first_bytes: Of its windows where the segment begins with it.
        first_ticks: What it adds there.
        later_bytes: Of its windows, its input's among them, behind another cell; None where it cannot be there.
        later_ticks: What it adds there.
    """

    cell: StreamedCell
    ticks: float
    read: tuple[tuple[int, int], ...] = field(repr=False)
    read_during: tuple[tuple[int, int], ...] = field(repr=False)
    input_bytes: int
    first_bytes: int
    first_ticks: float
    later_bytes: int | None = None
    later_ticks: float = 0.0


class _Links:
    """Cells row by row as parts of segments; granularities of equal rows share them.

    Args:
        cells: The network's.
        ticks: What their kernels take.
    """

    def __init__(self, cells: Sequence[Cell], ticks: _Ticks) -> None:
        self._cells = cells
        self._ticks = ticks
        self._known: dict[tuple[int, tuple[int, ...], int | None], _Link | None] = {}

    def chain(self, streamed: Sequence[StreamedCell | None]) -> list[_Link | None]:
        """The cells of one granularity; None for those that cannot run row by row."""
        chain: list[_Link | None] = []
        before: int | None = None
        for index, cell in enumerate(streamed):
            chain.append(None if cell is None else self._link(index, cell, before))
            before = None if chain[-1] is None else chain[-1].cell.rows[-1]
        return chain

    def _link(self, index: int, cell: StreamedCell, before: int | None) -> _Link | None:
        """A cell behind one that writes so many rows in a call, or behind nothing."""
        key = index, cell.rows, before
        if key not in self._known:
            self._known[key] = self._found(index, cell, before)
        return self._known[key]

    def _found(self, index: int, cell: StreamedCell, before: int | None) -> _Link | None:
        place, ticks = self._cells[index], self._ticks
        own = windows_of(1, place.input_shape, cell.layers, cell.row_bytes)
        if own is None:
            return None
        height, row_bytes = place.input_shape
        input_bytes = align(height * row_bytes, NATIVE_ALIGNMENT)
        read, read_during = (input_read(cell.layers, height, during=during) for during in (False, True))
        arrivals = ticks.loops({"input_rows": height, **own.inner_loops})
        link = _Link(cell, ticks.streamed(cell), read, read_during, input_bytes, own.inner_bytes, arrivals)
        behind = None
        if before is not None and not place.begins:
            behind = windows_of(before, place.input_shape, cell.layers, cell.row_bytes)
        if behind is None or not behind.has_input_window:
            return link
        return replace(link, later_bytes=behind.input_bytes + behind.inner_bytes, later_ticks=ticks.loops(behind.loops))


def _pushed_segments(
    cells: Sequence[Cell], streamed: Sequence[StreamedCell | None], ticks: _Ticks, most_bytes: int | None
) -> Iterator[_Edge]:
    """The segments of one granularity that begin with the input, row by row."""
    windows = scratch = layers = 0
    total = ticks.pushed(*cells[0].input_shape)
    rows: tuple[int, ...] = ()
    for end, cell in enumerate(streamed, 1):
        into = cells[end - 1].input_shape
        own = None if cell is None else windows_of(rows[-1] if rows else 1, into, cell.layers, cell.row_bytes)
        if cell is None or own is None or not own.has_input_window or cells[end - 1].begins:
            return
        windows += own.input_bytes + own.inner_bytes
        scratch = max(scratch, cell.scratch_bytes)
        layers += len(cell.layers)
        total += ticks.loops(own.loops, STREAM_ROWS.name) + ticks.streamed(cell, STREAM_ROWS.name)
        rows += cell.rows
        beside = windows + scratch + cell.sums_bytes + states_bytes(layers)
        if layers > MOST_LAYERS or (most_bytes is not None and beside > most_bytes):
            return  # more cells only take more windows
        height, row_bytes = cells[end - 1].output_shape
        arena = beside + align(height * row_bytes, NATIVE_ALIGNMENT)
        if most_bytes is None or arena <= most_bytes:
            yield _Edge(0, end, arena, total, rows, pushed=True)


def _segments_to(
    cells: Sequence[Cell], chain: Sequence[_Link | None], end: int, moved: float, limit: int
) -> Iterator[_Edge]:
    """The segments behind whose last cell is `end`, of one granularity, of at most `limit` bytes."""
    last = chain[end - 1]
    if last is None:
        return
    height, row_bytes = cells[end - 1].output_shape
    output_bytes = align(height * row_bytes, NATIVE_ALIGNMENT)
    sums = last.cell.sums_bytes
    lag = SegmentLag(written_bytes(last.cell.layers[-1], (height, row_bytes), at_the_end=sums > 0))
    windows = scratch = layers = 0
    total = moved
    rows: tuple[int, ...] = ()
    for first in range(end - 1, -1, -1):
        link = chain[first]
        if link is None:
            return
        scratch = max(scratch, link.cell.scratch_bytes)
        layers += len(link.cell.layers)
        rows = link.cell.rows + rows
        total += link.ticks
        beside = windows + scratch + sums + states_bytes(layers)
        if beside > limit or layers > MOST_LAYERS:
            return  # more cells only take more windows
        read = link.read_during if first == end - 1 else link.read
        lead = lag.extend(read, link.cell.rows[-1], cells[first].input_shape[1])
        arena = beside + link.first_bytes + max(output_bytes, link.input_bytes + lead)
        if arena <= limit:
            yield _Edge(first, end, arena, total + link.first_ticks, rows)
        if link.later_bytes is None:
            return
        windows += link.later_bytes
        total += link.later_ticks
