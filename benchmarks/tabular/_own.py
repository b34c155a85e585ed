"""The table of `benchmarks/nas_table`: networks for Fashion-MNIST, each trained for several numbers of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nas_table.space import TableSpace
from nas_table.table import FOLDER, HELD_OUT, Row, load_rows

from tabular._table import NasTable, quantile_of_macs
from tinynas.spaces import Genotype, SearchSpace


def own_table(folder: Path | None = None) -> NasTable:
    """3^6 = 729 networks, trained with two seeds for 50, 100, 200 and 400 steps; MACs up to the median.

    Scores are held-out accuracies. Two trainings of a network differ by so much that more than the best 5 % cannot be
    told apart.

    Args:
        folder: where the table lies; by default the one of the project.
    """
    return table_of_rows(TableSpace(), load_rows(folder or FOLDER), HELD_OUT)


def table_of_rows(space: SearchSpace, rows: Sequence[Row], held_out: int) -> NasTable:
    """The search problem of trainings of several lengths.

    Args:
        space: of the rows.
        rows: every network.
        held_out: number of held-out images.
    """
    lengths = sorted({steps for _, steps in rows[0].trained})
    scores: dict[float, dict[Genotype, float]] = {}
    errors: dict[float, dict[Genotype, float]] = {}
    for steps in lengths:
        fidelity = steps / lengths[-1]
        scores[fidelity], errors[fidelity] = {}, {}
        for row in rows:
            accuracies = [100 * row.trained[key].held_out / held_out for key in row.trained if key[1] == steps]
            scores[fidelity][row.genotype] = float(np.mean(accuracies))
            if len(accuracies) > 1:
                errors[fidelity][row.genotype] = float(np.std(accuracies, ddof=1)) / math.sqrt(len(accuracies))
    costs = {row.genotype: {name: float(cost) for name, cost in row.costs.items()} for row in rows}
    return NasTable(space, scores, errors, costs, limit=quantile_of_macs(costs), shares=(0.05,))
