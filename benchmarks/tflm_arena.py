"""TFLM's arena, predicted and as its interpreter reports it, and offline plans against TFLM's own.

    python benchmarks/tflm_arena.py [MODEL.tflite ...] [--random 300] [--seed 1000]

Random networks of up to two dozen operators, and the models given. Per network: head and tail of the arena against
what the wheel `tflite-micro` prints; the smallest arena it runs in, and that 16 bytes less are too few; then the
offline plan: its head against TFLM's and against the bytes alive, as the wheel finds it in the planned file, and every
output of one random input, planned and not. Exit code 1: something differs, a plan is larger than TFLM's, or fewer than
95 % of the plans reach the bytes alive.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tinynas.formats import add_offline_plan, read_tflite, tensor_table, write_tflite
from tinynas.memory.tflm import TflmMemoryModel, offline_plan
from tinynas.testing import random_input, random_int8_graph, run_tflm, tflm_arena, tflm_runs_in

_HOST = TflmMemoryModel(pointer_bytes=8)
_AT_THE_BOUND = 0.95
_STEP_BYTES = 16  # TFLM's alignment: less than that changes nothing


@dataclass(frozen=True)
class Comparison:
    """One network.

    Attributes:
        name: of the file, or "random" and its seed.
        operators: how many.
        predicted: head, tail and smallest arena, in bytes, from the model.
        reported: head and tail as the wheel prints them.
        smallest_works: an arena of the smallest size does, and one of 16 bytes less does not.
        planned: head of the offline plan, in bytes, from the model; `bound`: the most that is alive at a time.
        planned_reported: head and tail of the planned file as the wheel prints them.
        same_outputs: every output of the planned file equals that of the original in every bit.
    """

    name: str
    operators: int
    predicted: tuple[int, int, int]
    reported: tuple[int, int]
    smallest_works: bool
    planned: int
    bound: int
    planned_reported: tuple[int, int]
    same_outputs: bool

    @property
    def arena_is_exact(self) -> bool:
        return self.predicted[:2] == self.reported and self.smallest_works

    @property
    def plan_is_honoured(self) -> bool:
        """The wheel uses the planned head, the tail stays, and the outputs do."""
        return self.planned_reported == (self.planned, self.reported[1]) and self.same_outputs

    @property
    def plan_is_no_larger(self) -> bool:
        return self.bound <= self.planned <= self.reported[0]

    @property
    def plan_is_at_the_bound(self) -> bool:
        return self.planned == self.bound


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--random", type=int, default=300, help="random networks")
    parser.add_argument("--seed", type=int, default=1000, help="of the first of them")
    options = parser.parse_args()
    rows = [compare(name, content) for name, content in _cases(options.models, options.seed, options.random)]
    console = Console(width=160, highlight=False)
    console.print(_table(rows, len(options.models)))
    for row in rows:
        if not (row.arena_is_exact and row.plan_is_honoured and row.plan_is_no_larger):
            console.print(row)
    at_the_bound = sum(row.plan_is_at_the_bound for row in rows)
    exact = sum(row.arena_is_exact for row in rows)
    good = sum(row.plan_is_honoured and row.plan_is_no_larger for row in rows)
    console.print(
        f"{len(rows)} networks: {exact} arenas exact, {good} plans honoured and no larger than TFLM's, "
        f"{at_the_bound} at the lower bound ({100 * at_the_bound / max(1, len(rows)):.1f} %)"
    )
    raise SystemExit(0 if exact == good == len(rows) and at_the_bound >= _AT_THE_BOUND * len(rows) else 1)


def compare(name: str, content: bytes) -> Comparison:
    """Predict, plan, and ask the wheel."""
    graph, table = read_tflite(content), tensor_table(content)
    sram, plan = _HOST.sram(graph, table), offline_plan(graph, _HOST, table)
    planned = add_offline_plan(content, plan.offsets)
    before, after = tflm_arena(content), tflm_arena(planned)
    smallest = sram.minimum_arena_bytes
    inputs = random_input(graph, np.random.default_rng(0))
    outputs = zip(run_tflm(content, inputs), run_tflm(planned, inputs), strict=True)
    return Comparison(
        name=name,
        operators=len(graph.ops),
        predicted=(sram.head_bytes, sram.tail_bytes, smallest),
        reported=(before.head, before.tail),
        smallest_works=tflm_runs_in(content, smallest) and not tflm_runs_in(content, smallest - _STEP_BYTES),
        planned=plan.head_bytes,
        bound=plan.lower_bound_bytes,
        planned_reported=(after.head, after.tail),
        same_outputs=all(np.array_equal(expected, found) for expected, found in outputs),
    )


def _cases(models: Sequence[Path], seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    for path in models:
        yield path.stem, path.read_bytes()
    for current in range(seed, seed + count):
        rng = np.random.default_rng(current)
        graph = random_int8_graph(rng, operators=int(rng.integers(1, 25)), extreme=current % 7 == 0)
        yield f"random {current}", write_tflite(graph)


def _table(rows: Sequence[Comparison], named: int) -> Table:
    table = Table(title="The arena of tflite-micro, bytes", box=box.MARKDOWN)
    table.add_column("network")
    columns = ("operators", "head", "tail", "reported", "smallest", "arena", "planned", "bound", "plan", "outputs")
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows[:named]:
        head, tail, smallest = row.predicted
        table.add_row(
            *(row.name, str(row.operators), f"{head:,}", f"{tail:,}", f"{row.reported[0]:,} + {row.reported[1]:,}"),
            *(f"{smallest:,}", _verdict([row.arena_is_exact]), f"{row.planned:,}", f"{row.bound:,}"),
            *(_verdict([row.plan_is_no_larger and row.plan_is_at_the_bound]), _verdict([row.plan_is_honoured])),
        )
    random = rows[named:]
    if random:
        smaller = sum(row.planned < row.reported[0] for row in random)
        table.add_row(
            *(f"{len(random)} random", str(sum(row.operators for row in random)), "", "", "", ""),
            *(_verdict([row.arena_is_exact for row in random]), f"{smaller} smaller", ""),
            *(_verdict([row.plan_is_at_the_bound for row in random]), _verdict([r.plan_is_honoured for r in random])),
        )
    return table


def _verdict(checks: Sequence[bool]) -> str:
    if len(checks) == 1:
        return "yes" if checks[0] else "NO"
    return f"{sum(checks)} of {len(checks)}"


if __name__ == "__main__":
    main()
