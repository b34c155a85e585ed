"""Train every network of the table in `benchmarks/nas_table/`, and write it; kill it and run it again: it continues.

    python benchmarks/build_nas_table.py --work build/nas_table.jsonl
    python benchmarks/build_nas_table.py --work build/nas_table.jsonl --costs-only

729 networks of the space in `benchmarks/nas_table/space.py`, two seeds, 50, 100, 200 and 400 steps each, Fashion-MNIST
at 14x14. Costs are those of the models that ship, and are computed anew with --costs-only after these have changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np
from nas_table.costs import costs_of
from nas_table.provenance import costs_provenance, provenance
from nas_table.space import TableSpace
from nas_table.table import FOLDER, SEEDS, STEPS, Row, Trained, Training, load_rows, read_provenance, write_table
from nas_table.training import recipe, table_data, train_all
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinynas.errors import TinyNASError
from tinynas.spaces import Genotype


def main(command: Sequence[str] | None = None) -> None:
    """Train what is not in the work file yet, then write table and provenance.

    Args:
        command: the arguments; by default those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, default=Path("build/nas_table.jsonl"), help="what was trained so far")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for table.csv and provenance.json")
    parser.add_argument("--data", type=Path, help="folder of the data set, where it is not the usual one")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--costs-only", action="store_true", help="keep the accuracies of the table that is there")
    arguments = parser.parse_args(command)

    space = TableSpace()
    genotypes = list(product(*(variable.values for variable in space.variables)))
    if arguments.costs_only:
        rows = [Row(row.genotype, costs_of(space, row.genotype), row.trained) for row in load_rows(arguments.out)]
        write_table(arguments.out, rows, {**read_provenance(arguments.out), "costs": costs_provenance()})
        return
    digest = table_data(arguments.data).train.digest()
    done = _train(
        genotypes, arguments.work, {"recipe": recipe(), "space": space.definition(), "data": digest}, arguments
    )
    rows = [
        Row(g, costs_of(space, g), {(seed, steps): done[Training(g, seed, steps)] for seed in SEEDS for steps in STEPS})
        for g in genotypes
    ]
    write_table(arguments.out, rows, provenance(recipe(), space.definition(), digest))


def _train(
    genotypes: list[Genotype], work: Path, header: dict[str, object], arguments: argparse.Namespace
) -> dict[Training, Trained]:
    """All trainings; each is appended to the work file when it is done."""
    header = json.loads(json.dumps(header))
    done = read_work(work, header)
    wanted = [Training(g, seed, steps) for g in genotypes for seed in SEEDS for steps in STEPS]
    order = np.random.default_rng(0).permutation(len(wanted))  # what remains to be done takes what was done took
    left = [wanted[i] for i in order if wanted[i] not in done]
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with work.open("a") as file, Progress(*columns) as progress:
        if not done and file.tell() == 0:
            file.write(json.dumps(header) + "\n")
        task = progress.add_task("training", total=len(wanted), completed=len(done))
        for training, trained in train_all(left, arguments.processes, arguments.data):
            done[training] = trained
            file.write(json.dumps([*training, asdict(trained)]) + "\n")
            file.flush()
            progress.advance(task)
    return done


def read_work(work: Path, header: dict[str, object]) -> dict[Training, Trained]:
    """What was trained so far; a line that was not written to its end is taken off the file.

    Args:
        work: the file, which need not be there; without a whole header it is empty afterwards.
        header: recipe, space and data, as JSON values.

    Raises:
        SystemExit: the file is of another recipe, space or data set, or damaged.
    """
    work.parent.mkdir(parents=True, exist_ok=True)
    if not work.exists() or work.stat().st_size == 0:
        return {}
    text = work.read_text()
    complete, end, rest = text.rpartition("\n")
    if rest:  # killed while it wrote a line
        work.write_text(complete + end)
    lines = complete.splitlines()
    if not lines:
        return {}
    done: dict[Training, Trained] = {}
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            if number > 1:
                genotype, seed, steps, trained = found
                done[Training(tuple(genotype), seed, steps)] = Trained(**trained)
        except (ValueError, TypeError) as error:
            raise SystemExit(f"{work}: line {number} is damaged: delete all from it on, and run again") from error
        if number == 1 and found != header:
            raise SystemExit(
                f"{work} is of another recipe, space or data set: delete it, or name another file with --work"
            )
    return done


if __name__ == "__main__":
    try:
        main()
    except TinyNASError as error:
        raise SystemExit(f"error: {error}") from error
