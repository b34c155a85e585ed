"""Loop counts of streamed segments: what runs around the calls of their layers' kernels."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph import Graph
from tinynas.kernels.streaming import ROUND_BYTES
from tinynas.lowering._rows import row_bytes
from tinynas.lowering._storage import PlannedStep
from tinynas.lowering._trace import Slides, Trace, copies, slides


def segment_loops(graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace) -> dict[str, float]:
    """Trip counts of the loops around the kernels' calls; see the kernel `stream`."""
    held = (graph.tensors[source].shape[1], *executed.window_rows[1:])
    row = _rows(graph, source, segment)
    moved = Slides.together(slides(executed, row, held, ROUND_BYTES))
    loops = _loops_of_calls(graph, source, segment, executed) | moved.loops
    return loops | output_loops(graph.tensors[segment[-1].output].size_bytes)


def pushed_loops(graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace) -> dict[str, float]:
    """The same where the input comes row by row; see the kernel `stream_rows`."""
    row = _rows(graph, source, segment)
    copied = copies(graph.tensors[source].shape[1], row[0], ROUND_BYTES)
    moved = Slides.together((copied, *slides(executed, row, executed.window_rows, ROUND_BYTES)))
    return _loops_of_calls(graph, source, segment, executed) | moved.loops


def output_loops(size_bytes: int) -> dict[str, float]:
    """What moving a segment's output to its place takes."""
    return {
        "output_words": 0 if size_bytes % 4 else size_bytes // 4,
        "output_bytes": size_bytes if size_bytes % 4 else 0,
    }


def _rows(graph: Graph, source: int, segment: Sequence[PlannedStep]) -> list[int]:
    """Bytes of a row, by layer; first of the input. The last layer has no window, so its rows are not asked for."""
    return [*(row_bytes(graph, t) for t in (source, *(p.output for p in segment[:-1]))), 0]


def _loops_of_calls(graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace) -> dict[str, float]:
    """What both have beside moves."""
    input_rows = graph.tensors[source].shape[1]
    pairs = {index for index, p in enumerate(segment, 1) if len(p.inputs) == 2}
    return {
        "calls": 1,
        "layers": len(segment) + 1,
        "input_rows": input_rows,
        "waits": executed.waits,
        "kernel_calls": sum(map(len, executed.ends[1:])),
        "second_operands": sum(len(executed.ends[index]) for index in pairs),
    }
