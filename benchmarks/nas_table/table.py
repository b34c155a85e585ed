"""The table as it is stored: one row per network, and how it was made."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nas_table.costs import COSTS
from nas_table.space import KINDS, TableSpace
from tinynas.errors import UsageError
from tinynas.spaces import Genotype

FOLDER = Path(__file__).resolve().parent
"""Where the table lies that comes with the project."""

DATASET = "fashion-mnist"

HELD_OUT = 5000
"""Training examples that are held out, by the seed 0."""

STEPS = (50, 100, 200, 400)
"""Lengths of training; the learning rate anneals to zero at the end of each."""

SEEDS = (0, 1)
"""Of initial weights and the order of examples."""

_TABLE, _PROVENANCE = "table.csv", "provenance.json"
_SPLITS = ("held_out", "test")


class Training(NamedTuple):
    """One training of one network."""

    genotype: Genotype
    seed: int
    steps: int


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        held_out: images of `HELD_OUT` that are classified correctly.
        test: images of the test set, 10,000, that are classified correctly.
        seconds: of the processor, for the training alone.
    """

    held_out: int
    test: int
    seconds: float


@dataclass(frozen=True)
class Row:
    """One network.

    Attributes:
        genotype: a member of `TableSpace`.
        costs: by the names in `COSTS`.
        trained: what came of each training, by (seed, steps).
    """

    genotype: Genotype
    costs: Mapping[str, int]
    trained: Mapping[tuple[int, int], Trained]


def load_rows(folder: Path = FOLDER) -> list[Row]:
    """Every network of the table.

    Raises:
        SystemExit: there is no table; says how to build it.
    """
    if not (folder / _TABLE).is_file():
        raise SystemExit(f"{folder / _TABLE} is not there: python benchmarks/build_nas_table.py builds it")
    variables = TableSpace().variables
    rows: list[Row] = []
    with (folder / _TABLE).open(newline="") as file:
        for cells in csv.DictReader(file):
            genotype = tuple(
                KINDS.index(cells[variable.name]) if variable.labels else int(cells[variable.name])
                for variable in variables
            )
            trained = {
                (seed, steps): Trained(
                    *(int(cells[_column(split, seed, steps)]) for split in _SPLITS),
                    seconds=float(cells[_column("seconds", seed, steps)]),
                )
                for seed in SEEDS
                for steps in STEPS
            }
            rows.append(Row(genotype, {name: int(cells[name]) for name in COSTS}, trained))
    return rows


def read_provenance(folder: Path = FOLDER) -> dict[str, Any]:
    """How the table was made.

    Raises:
        UsageError: there is no such file, or it is damaged.
    """
    path = folder / _PROVENANCE
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: restore it, or build the table anew ({error})") from error
    return found


def write_table(folder: Path, rows: Iterable[Row], provenance: Mapping[str, Any]) -> None:
    """Write table and provenance."""
    variables = TableSpace().variables
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _TABLE).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        trainings = [(seed, steps) for seed in SEEDS for steps in STEPS]
        names = (*_SPLITS, "seconds")
        writer.writerow(
            [
                *(variable.name for variable in variables),
                *COSTS,
                *(_column(name, seed, steps) for name in names for seed, steps in trainings),
            ]
        )
        for row in rows:
            writer.writerow(
                [
                    *(variable.label(value) for variable, value in zip(variables, row.genotype, strict=True)),
                    *(row.costs[name] for name in COSTS),
                    *(getattr(row.trained[key], name) for name in names for key in trainings),
                ]
            )
    (folder / _PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n")


def _column(name: str, seed: int, steps: int) -> str:
    return f"{name}.seed{seed}.steps{steps}"
