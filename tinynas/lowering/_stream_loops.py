"""Loop counts of streamed segments: what runs around the calls of their layers' kernels."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph import Graph
from tinynas.kernels.streaming import ROUND_BYTES
from tinynas.lowering._rows import row_bytes
from tinynas.lowering._storage import PlannedStep
from tinynas.lowering._trace import Trace, copies, slides


def segment_loops(graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace) -> dict[str, float]:
    """Trip counts of the loops around the kernels' calls; see the kernel `stream`."""
    output = graph.tensors[segment[-1].output].size_bytes
    held = (graph.tensors[source].shape[1], *executed.window_rows[1:])
    return _loops_of_calls(graph, source, segment, executed, held) | {
        "output_words": 0 if output % 4 else output // 4,
        "output_bytes": output if output % 4 else 0,
    }


def pushed_loops(graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace) -> dict[str, float]:
    """The same where the input comes row by row; see the kernel `stream_rows`."""
    loops = _loops_of_calls(graph, source, segment, executed, executed.window_rows)
    copied = copies(graph.tensors[source].shape[1], row_bytes(graph, source), ROUND_BYTES)
    added = {"slide_rounds": copied.rounds, "slide_words": copied.words, "slide_bytes": copied.bytes}
    return {name: trips + added.get(name, 0) for name, trips in loops.items()}


def _loops_of_calls(
    graph: Graph, source: int, segment: Sequence[PlannedStep], executed: Trace, held: Sequence[int]
) -> dict[str, float]:
    """What both have. `held` are rows that there is room for, by layer."""
    row = [row_bytes(graph, t) for t in (source, *(p.output for p in segment))]
    moved = slides(executed, row, held, ROUND_BYTES)
    calls = [write for write in executed.writes if write.layer > 0]
    return {
        "calls": 1,
        "layers": len(segment) + 1,
        "input_rows": graph.tensors[source].shape[1],
        "waits": executed.waits,
        "kernel_calls": len(calls),
        "second_operands": sum(len(segment[write.layer - 1].inputs) == 2 for write in calls),
        "slides": moved.slides,
        "slide_rounds": moved.rounds,
        "slide_words": moved.words,
        "slide_bytes": moved.bytes,
    }
