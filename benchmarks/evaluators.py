"""How well every evaluator ranks the networks of `benchmarks/nas_table`, beside counting, and what it takes.

    python benchmarks/evaluators.py --out runs/evaluators
    python benchmarks/evaluators.py --out runs/evaluators --networks 100 --evaluators macs synflow supernet

Kendall's tau against the mean test accuracy of the longest trainings, over a sample of networks of all sizes and, as a
mean, within groups of about equal MACs; 90 % intervals by a bootstrap over networks. Short trainings are read from the
table: held-out accuracies of its first seed. A longest training is held against the other seeds alone. All others are
asked now, in one process; answers are kept in --out, and what was killed goes on where it was.

Seconds are of the processor: those spent once (the trainings that a predictor learns from, the supernet), and those for
each network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from nas_table.space import RESOLUTION, TableSpace
from nas_table.table import FOLDER, load_rows
from nas_table.training import table_data
from rich.console import Console
from rich.table import Table
from tabular.answers import answers
from tabular.candidates import Candidates
from tabular.trainings import training_columns, truth_of

from tinynas.errors import TinyNASError, UsageError
from tinynas.evaluation import Agreement, EvaluationTask, agreement, stratified
from tinynas.pipeline.run.storage import Journal


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    found.add_argument("--out", type=Path, required=True, help="folder for answers and shared weights")
    found.add_argument("--path", type=Path, help="folder of the table; default: the project's")
    found.add_argument("--data", type=Path, help="data directory")
    found.add_argument("--networks", type=int, default=200, help="size of the sample")
    found.add_argument("--groups", type=int, default=10, help="of about equal MACs")
    found.add_argument("--samples", type=int, default=64, help="trainings that a predictor learns from")
    found.add_argument("--supernet-steps", type=int, default=2000)
    found.add_argument("--evaluators", nargs="+", metavar="NAME", help="default: all")
    found.add_argument("--seed", type=int, default=0)
    return found


def main() -> None:
    """Print a table of evaluators."""
    arguments = parser().parse_args()
    torch.set_num_threads(1)
    if arguments.networks < 2 * arguments.groups:
        raise UsageError(f"--networks must be at least two for each of {arguments.groups} groups")

    rows = load_rows(arguments.path or FOLDER)
    positions = stratified([row.costs["macs"] for row in rows], arguments.networks, arguments.groups, arguments.seed)
    sample = [rows[position] for group in positions for position in group]
    genotypes = [row.genotype for row in sample]
    groups = np.split(np.arange(len(sample)), np.cumsum([len(group) for group in positions])[:-1])
    data = table_data(arguments.data)
    task = EvaluationTask(
        TableSpace(), 1.0, RESOLUTION, data.train, data.validation, len(data.classes), seed=arguments.seed
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    journal = Journal(arguments.out / "answers.jsonl")
    candidates = Candidates(
        task, rows, frozenset(genotypes), arguments.samples, arguments.supernet_steps, arguments.out
    )
    names = candidates.checked(arguments.evaluators)

    shown = Table(title=f"{len(sample)} of {len(rows)} networks, {arguments.groups} groups of equal MACs")
    for column in ("evaluator", "tau", "tau at equal MACs", "seconds once", "seconds each"):
        shown.add_column(column, justify="left" if column == "evaluator" else "right")

    def show(name: str, found: Agreement, once: float, each: float) -> None:
        cells = (name, str(found.overall), str(found.within), f"{once:.0f}", f"{each:.3g}")
        print("  ".join(cells), flush=True)
        shown.add_row(*cells)

    for column in training_columns(sample):
        show(column.name, agreement(column.values, column.truth, groups), 0.0, column.seconds)
    truth = truth_of(sample)
    for name in names:
        candidate = candidates.build(name)
        values, seconds = answers(candidate, genotypes, journal)
        show(name, agreement(values, truth, groups), candidate.seconds_once, seconds)
    Console(width=120).print(shown)


if __name__ == "__main__":
    try:
        main()
    except TinyNASError as error:
        raise SystemExit(f"error: {error}") from error
