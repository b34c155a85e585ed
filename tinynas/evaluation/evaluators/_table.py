"""Values from a file: somebody measured them before (Ying et al. 2019, "NAS-Bench-101").

Rows of equal genotype and fidelity are trainings that differ in their seed:

    value(g, f) = mean of its S rows,    deviation = sqrt(1/(S(S-1)) sum (row - value)^2), or what the file says
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import Estimate, EvaluationProgress, check_fidelities, check_fidelity
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._task import EvaluationTask
from tinynas.spaces import Genotype, SpaceError

_VERSION = 1


class TableOptions(EvaluatorOptions):
    """Where the table is.

    Attributes:
        file: `.json`: a list `entries` of objects with `genotype` and `value`, and `fidelity` (1), `deviation` and
            `seconds` where known. `.npz`: arrays `genotypes` [n, variables] and `values` [n], and `fidelities`,
            `deviations` (not a number where unknown), `seconds`, each [n].
    """

    file: str


class _Row(NamedTuple):
    genotype: Genotype
    fidelity: float
    value: float
    deviation: float | None
    seconds: float


class TableEvaluator:
    """Looks candidates up.

    Raises:
        EvaluatorError: the file cannot be read, is no table, or holds a genotype that is not of the space.
    """

    name = "table"

    def __init__(self, task: EvaluationTask, options: TableOptions) -> None:
        path = Path(options.file)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EvaluatorError(f"cannot read table {path}: {error.strerror}") from error
        digest = hashlib.sha256(content).hexdigest()
        self.key = evaluator_key(self.name, _VERSION, {"space": task.space.definition(), "file": digest})
        self._path = path
        rows: dict[tuple[Genotype, float], list[_Row]] = {}
        read = _rows_of_arrays if path.suffix == ".npz" else _rows_of_entries
        try:
            for row in read(content):
                task.space.check(row.genotype)
                rows.setdefault((row.genotype, row.fidelity), []).append(row)
            self._estimates = {place: _estimate(found) for place, found in rows.items()}
            self.fidelities = check_fidelities(sorted({fidelity for _, fidelity in rows}))
        except (SpaceError, EvaluatorError, ValueError, TypeError, KeyError, OSError, BadZipFile) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise EvaluatorError(f"table {path} is no table of space {task.space.name!r}: {what}") from error

    def evaluate(
        self, genotypes: Sequence[Genotype], fidelity: float = 1.0, progress: EvaluationProgress | None = None
    ) -> list[Estimate]:
        check_fidelity(self, fidelity)
        estimates = []
        for position, genotype in enumerate(genotypes):
            estimate = self._estimates.get((tuple(genotype), fidelity))
            if estimate is None:
                raise EvaluatorError(
                    f"table {self._path} has no value for genotype {genotype} at fidelity {fidelity:g}"
                )
            estimates.append(estimate)
            if progress is not None:
                progress(position, estimate)
        return estimates

    def close(self) -> None:
        pass


def _rows_of_arrays(content: bytes) -> Iterator[_Row]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        genotypes, values = arrays["genotypes"], arrays["values"]
        count = len(values)
        fidelities = arrays.get("fidelities", np.ones(count))
        deviations = arrays.get("deviations", np.full(count, np.nan))
        seconds = arrays.get("seconds", np.zeros(count))
    for row in zip(genotypes, fidelities, values, deviations, seconds, strict=True):
        genotype = tuple(int(value) for value in row[0])
        fidelity, value, deviation, took = map(float, row[1:])
        yield _Row(genotype, fidelity, value, None if math.isnan(deviation) else deviation, took)


def _rows_of_entries(content: bytes) -> Iterator[_Row]:
    document: dict[str, Any] = json.loads(content)
    for entry in document["entries"]:
        genotype = tuple(int(value) for value in entry["genotype"])
        given = entry.get("deviation")
        deviation = None if given is None else float(given)
        fidelity, took = float(entry.get("fidelity", 1)), float(entry.get("seconds", 0))
        yield _Row(genotype, fidelity, float(entry["value"]), deviation, took)


def _estimate(rows: Sequence[_Row]) -> Estimate:
    if len(rows) == 1:
        return Estimate(rows[0].value, rows[0].deviation, rows[0].seconds)
    values = [row.value for row in rows]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) * (len(values) - 1)))
    return Estimate(mean, deviation, sum(row.seconds for row in rows), {"values": values})
