"""Random parts of a network that run row by row."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from tinynas.lowering import Schedule, StreamPlan, stream_cuts, streamed_shape

_MOST_ROWS = 4


def random_streams(schedule: Schedule, seed: int, *, pushed: bool = False) -> tuple[StreamPlan, ...]:
    """Segments of a plain schedule, between some of the places where they may begin and end, of few rows a call.

    Empty where no layer works row by row. With `pushed`, the first segment takes the input row by row; empty where no
    segment reads it.
    """
    rng = np.random.default_rng([seed, 5])
    plans: list[StreamPlan] = []
    for stretch in stream_cuts(schedule):
        between = [cut for cut in stretch[1:-1] if rng.random() < 0.3]
        cuts = [stretch[0], *between, stretch[-1]]
        most = int(rng.integers(1, _MOST_ROWS + 1))
        plans += [
            StreamPlan(first, tuple(_rows(rng, schedule, index, most) for index in range(first, end)))
            for first, end in itertools.pairwise(cuts)
        ]
    if pushed:
        return (replace(plans[0], pushed=True), *plans[1:]) if plans and plans[0].first == 0 else ()
    return tuple(plans)


def _rows(rng: np.random.Generator, schedule: Schedule, step: int, most: int) -> int:
    height, _ = streamed_shape(schedule, step)
    return int(rng.integers(1, min(most, height) + 1))
