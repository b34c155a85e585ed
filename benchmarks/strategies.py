"""Every search strategy on a table of trained networks, against random search in closed form.

    python benchmarks/strategies.py --table macro --path nas-bench-macro_cifar10.json
    python benchmarks/strategies.py --table 201 --path nas-bench-201.npz --dataset cifar100 --seeds 20
    python benchmarks/strategies.py --table own --strategies successive-halving --fidelities 0.125 1
    python benchmarks/strategies.py --table own --strategies tpe evolution --seeds 20 --first-seed 100 --out own.json

Half of a table is feasible: MACs up to their median. Costs are in longest trainings: a training of half the steps costs
half of one, and finds no network. Of each strategy, over seeds: the median cost until the first network among the best,
and its ratio to that of random search; the mean regret after 60 over random search's; how much better the last 50
networks were than the first 50, in points; the hypervolume of accuracy and MACs that all dominate, as a share of the
box from the median network to the best, and its ratio to that of random search with the same seeds. A search that ends
before it finds one counts as longer than its budget. --out keeps curves of the mean regret with 90 % intervals.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tabular import (
    DATASETS_201,
    TABLE_NAMES,
    NasTable,
    Search,
    load_table,
    search,
)
from tabular.figures import columns, regret_curve, row

from tinynas.errors import TinyNASError
from tinynas.search import strategy_names


@cache
def table_of(name: str, path: Path | None, dataset: str, feasible: float) -> NasTable:
    """The table, read once per process."""
    return load_table(name, path, dataset).limited(feasible)


def search_of(
    name: str,
    table: tuple[str, Path | None, str, float],
    options: dict[str, Any],
    evaluations: int,
    fidelities: tuple[float, ...] | None,
    seed: int,
) -> Search:
    """One search, in a process of its own."""
    return search(table_of(*table), name, options, evaluations, seed, fidelities)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    found.add_argument("--table", choices=TABLE_NAMES, required=True)
    found.add_argument("--path", type=Path, help="the table's file (own: its folder, by default the project's)")
    found.add_argument("--dataset", choices=DATASETS_201, default=DATASETS_201[0], help="of table 201")
    found.add_argument("--feasible", type=float, default=0.5, help="share of the networks within the limit on MACs")
    found.add_argument("--strategies", nargs="+", metavar="NAME", help="default: all but grid search")
    found.add_argument("--options", type=json.loads, default={}, help="JSON, for every strategy named")
    found.add_argument("--fidelities", type=float, nargs="+", metavar="SHARE", help="that may be asked; default: all")
    found.add_argument("--evaluations", type=int, default=200, help="budget of one search, in longest trainings")
    found.add_argument("--seeds", type=int, default=50)
    found.add_argument("--first-seed", type=int, default=0)
    found.add_argument("--processes", type=int, default=1)
    found.add_argument("--out", type=Path, help="JSON file for regret curves")
    return found


def main() -> None:
    """Print a table of strategies."""
    arguments = parser().parse_args()
    source = (arguments.table, arguments.path, arguments.dataset, arguments.feasible)
    table = table_of(*source)
    fidelities = tuple(arguments.fidelities) if arguments.fidelities else None
    names = arguments.strategies or [name for name in strategy_names() if name != "grid"]
    shown = Table(
        title=f"{table.space.name}: {len(table.ranked())} feasible networks, {arguments.seeds} seeds, "
        f"budget {arguments.evaluations}"
    )
    for column in columns(table):
        shown.add_column(column, justify="left" if column == "strategy" else "right")
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    curves = {}
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:

        def searches(name: str, options: dict[str, Any]) -> list[Search]:
            run = partial(search_of, name, source, options, arguments.evaluations, fidelities)
            return pool.map(run, seeds, chunksize=1)

        random = searches("random", {})
        for name in names:
            found = random if name == "random" else searches(name, arguments.options)
            cells = row(name, found, random, table, arguments.evaluations)
            print("  ".join(cells), flush=True)
            shown.add_row(*cells)
            curves[name] = regret_curve(found, table.ranked()[0], arguments.evaluations, np.random.default_rng(0))
    Console(width=150).print(shown)
    if arguments.out:
        arguments.out.write_text(json.dumps({"table": table.space.name, "regret": curves}, indent=1) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads only get in each other's way
    try:
        main()
    except TinyNASError as error:
        raise SystemExit(f"error: {error}") from error
