"""Schedules made of live ranges alone, for planning: no graph behind them."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st

from tinynas.graph import Graph
from tinynas.lowering import Buffer, Schedule, Step

EMPTY_GRAPH = Graph(tensors=(), ops=(), inputs=(), outputs=())


def make_schedule(
    buffers: Sequence[tuple[int, int, int]],
    scratch: Sequence[int],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> Schedule:
    """A schedule with `buffers` (first step, last step, bytes), one step per entry of `scratch` (bytes)."""
    return Schedule(
        graph=EMPTY_GRAPH,
        steps=tuple(
            Step(i, "fake", (), (), 0, (), 0, f"step{i}", macs=0, scratch_bytes=size) for i, size in enumerate(scratch)
        ),
        buffers=tuple(Buffer(i, size, (i,), first, last) for i, (first, last, size) in enumerate(buffers)),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        buffer_of={i: i for i in range(len(buffers))},
    )


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[tuple[int, int, int]], list[int], int]:
    """A block: inner buffers (first, last, bytes) within its steps, scratch, last step that reads the input."""
    steps = draw(st.integers(1, 4))
    inner = draw(
        st.lists(
            st.tuples(st.integers(0, steps - 1), st.integers(0, 3), st.integers(1, 200)).map(
                lambda r: (r[0], min(r[0] + r[1], steps - 1), r[2])
            ),
            max_size=5,
        )
    )
    scratch = draw(st.lists(st.integers(0, 60), min_size=steps, max_size=steps))
    return inner, scratch, draw(st.integers(0, steps - 1))


def join(parts: Sequence[tuple[list[tuple[int, int, int]], list[int], int]], cut_sizes: Sequence[int]) -> Schedule:
    """Chain blocks: `cut_sizes` has one size more than there are parts. Buffers 0..n are the cuts, in order."""
    starts = [0]
    for _, scratch, _ in parts:
        starts.append(starts[-1] + len(scratch))
    total = starts[-1]
    cuts = []
    for i, size in enumerate(cut_sizes):
        first = 0 if i == 0 else starts[i] - 1
        last = starts[i] + parts[i][2] if i < len(parts) else total - 1
        cuts.append((first, last, size))
    inner = [(starts[i] + a, starts[i] + b, size) for i, part in enumerate(parts) for a, b, size in part[0]]
    scratch = [size for part in parts for size in part[1]]
    return make_schedule([*cuts, *inner], scratch, inputs=[0], outputs=[len(parts)])
