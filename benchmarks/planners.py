"""How long planning takes, and how close to the bytes alive it gets.

    python benchmarks/planners.py [--operators 60] [--networks 20] [MODEL.tflite ...]

Random branched networks of that many operators and the models given. "exact plan" is `plan_arena` of a schedule whose
chain of blocks is known (what firmware uses), "greedy" TFLM's planner, "search" the one that looks for the lower bound.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynas.formats import read_tflite
from tinynas.graph import Graph, simplified
from tinynas.lowering import Schedule, lower
from tinynas.memory import NATIVE_ALIGNMENT, extent, live_ranges, lower_bound, plan_arena, plan_greedy, plan_search
from tinynas.testing import random_int8_graph

MILLISECONDS = 1000.0
REPETITIONS = 3
"""Of which the fastest counts: other work on the machine is not the planner's."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--operators", type=int, default=60)
    parser.add_argument("--networks", type=int, default=20)
    options = parser.parse_args(arguments)
    graphs = [random_int8_graph(np.random.default_rng(s), operators=options.operators) for s in range(options.networks)]
    rows = [(f"random {i}", graph) for i, graph in enumerate(graphs)]
    rows += [(path.stem, simplified(read_tflite(path))) for path in options.models]
    table = Table(title="Planners: milliseconds, and bytes over the most that is alive")
    for column in ("network", "steps", "exact plan", "over", "greedy", "over", "search", "over"):
        table.add_column(column, justify="right")
    slowest = dict.fromkeys(("exact plan", "greedy", "search"), 0.0)
    reached = 0
    for name, graph in rows:
        cells, times, over = _row(graph)
        table.add_row(name, *cells)
        slowest = {planner: max(slowest[planner], taken) for planner, taken in times.items()}
        reached += over == 0
    console = Console(width=120)
    console.print(table)
    console.print(", ".join(f"{planner}: at most {taken:.1f} ms" for planner, taken in slowest.items()))
    console.print(f"search at the lower bound in {reached} of {len(rows)}")


def _row(graph: Graph) -> tuple[list[str], dict[str, float], int]:
    schedule = lower(graph)
    ranges = [
        replace(r, size_bytes=-(-r.size_bytes // NATIVE_ALIGNMENT) * NATIVE_ALIGNMENT)
        for r in live_ranges(schedule).all
    ]
    bound = lower_bound(ranges)
    planners: dict[str, Callable[[], tuple[int, int]]] = {
        "exact plan": lambda: _arena(schedule),
        "greedy": lambda: (extent(ranges, plan_greedy(ranges, NATIVE_ALIGNMENT)), bound),
        "search": lambda: (plan_search(ranges)[1], bound),
    }
    cells, times, over = [str(len(schedule.steps))], {}, 0
    for planner, plan in planners.items():
        taken = []
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            size, least = plan()
            taken.append(time.perf_counter() - start)
        times[planner] = MILLISECONDS * min(taken)
        over = size - least
        cells += [f"{times[planner]:.1f}", f"{over:,}"]
    return cells, times, over


def _arena(schedule: Schedule) -> tuple[int, int]:
    plan = plan_arena(schedule)
    return plan.arena_bytes, plan.lower_bound_bytes


if __name__ == "__main__":
    main()
