"""Every search strategy on tables of trained networks, against random search in closed form.

    python benchmarks/strategies.py --macro nas-bench-macro.json
    python benchmarks/strategies.py --macro nas-bench-macro.json --strategies tpe evolution --seeds 20 --first-seed 100

Half of a table is feasible: MACs up to their median. Of each strategy: the median number of evaluations until the first
network among the best 1 % and 0.1 %, over seeds, its ratio to that of random search, and the mean regret after 60
evaluations over random search's; how much better the last 50 networks were than the first 50, in points; and the
hypervolume of accuracy and MACs that all dominate, of the box from the median network to the best. A
search that ends before it finds one counts as longer than its budget.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from nas_tables import NasTable, expected_random_best, hypervolume, median_random_evaluations, nas_bench_macro
from rich.console import Console
from rich.table import Table

from tinynas.search import build_strategy, strategy_names

SHARES = (0.01, 0.001)
REGRET_AFTER = 60


@dataclass(frozen=True)
class Search:
    """One search: the scores in the order asked, the hypervolume of all, and seconds of the strategy itself."""

    scores: list[float]
    hypervolume: float
    seconds: float


@cache
def table_at(path: Path) -> NasTable:
    """The table, read once per process."""
    return nas_bench_macro(path)


def search(path: Path, name: str, options: dict[str, Any], evaluations: int, seed: int) -> Search:
    """Run one strategy until its budget is spent, or everything was asked."""
    table = table_at(path)
    started = time.process_time()
    strategy = build_strategy(name, table.problem(evaluations), seed, options)
    scores: list[float] = []
    points: list[tuple[float, float]] = []
    for _ in range(min(evaluations, len(table.ranked()))):
        trial = strategy.ask()
        scores.append(table.scores[trial.genotype])
        strategy.tell(trial, scores[-1], table.deviations[trial.genotype] / 3**0.5)
        points.append((scores[-1], table.costs[trial.genotype]["macs"]))
    seconds = time.process_time() - started
    reference = (float(np.median(table.ranked())), table.limit)
    return Search(scores, hypervolume(points, reference) / (table.limit * (table.ranked()[0] - reference[0])), seconds)


def row(name: str, searches: list[Search], ranked: list[float]) -> list[str]:
    """The figures of one strategy."""
    cells = [name]
    for share in SHARES:
        good = max(1, int(share * len(ranked)))
        first = np.array([first_at_least(found.scores, ranked[good - 1]) for found in searches])
        random = median_random_evaluations(len(ranked), good)
        median = float(np.median(first))
        ended = np.isinf(median)
        cells += [
            f"> {len(searches[0].scores)}" if ended else f"{median:.1f}",
            "" if ended else f"{median / random:.2f}",
        ]
    random_regret = ranked[0] - expected_random_best(ranked, REGRET_AFTER)
    regrets = np.array([ranked[0] - max(found.scores[:REGRET_AFTER]) for found in searches]) / random_regret
    error = regrets.std(ddof=1) / len(regrets) ** 0.5 if len(regrets) > 1 else 0.0
    early, late = (
        np.mean([np.mean(found.scores[part]) for found in searches]) for part in (slice(50), slice(-50, None))
    )
    return [
        *cells,
        f"{regrets.mean():.3f} ± {error:.3f}",
        f"{late - early:+.2f}",
        f"{np.mean([found.hypervolume for found in searches]):.4f}",
        f"{np.mean([found.seconds for found in searches]):.1f}",
    ]


def first_at_least(scores: list[float], threshold: float) -> float:
    """How many evaluations until the first score of `threshold`; infinite if there is none."""
    return next((float(i) for i, score in enumerate(scores, start=1) if score >= threshold), float("inf"))


def main() -> None:
    """Print a table of strategies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--macro", type=Path, required=True, help="nas-bench-macro_cifar10.json")
    parser.add_argument("--strategies", nargs="+", metavar="NAME")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON, for every strategy named")
    parser.add_argument("--evaluations", type=int, default=200, help="budget of one search")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()

    ranked = table_at(arguments.macro).ranked()
    shown = Table(title=f"{len(ranked)} feasible networks, {arguments.seeds} seeds, budget {arguments.evaluations}")
    for column in (
        "strategy",
        "to 1 %",
        "ratio",
        "to 0.1 %",
        "ratio",
        "regret at 60",
        "last - first 50",
        "hypervolume",
        "seconds",
    ):
        shown.add_column(column, justify="left" if column == "strategy" else "right")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for name in arguments.strategies or [name for name in strategy_names() if name != "grid"]:
            run = partial(search, arguments.macro, name, arguments.options, arguments.evaluations)
            cells = row(name, pool.map(run, seeds, chunksize=1), ranked)
            print("  ".join(cells), flush=True)
            shown.add_row(*cells)
    Console(width=120).print(shown)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads only get in each other's way
    main()
