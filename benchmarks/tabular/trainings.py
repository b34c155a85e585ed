"""The trainings of the own table as evaluators, and as the truth that evaluators are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from nas_table.table import Row


@dataclass(frozen=True)
class TrainingColumn:
    """One training of each network as an estimate of what it is worth.

    Attributes:
        name: in the output.
        values: [networks], held-out images classified correctly.
        truth: [networks], what it is held against.
        seconds: of the processor, the mean of a network.
    """

    name: str
    values: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    seconds: float


def longest(rows: Sequence[Row]) -> int:
    """Steps of the longest trainings."""
    return max(steps for _, steps in rows[0].trained)


def first_seed(rows: Sequence[Row]) -> int:
    """The seed whose trainings stand for one training."""
    return min(seed for seed, _ in rows[0].trained)


def truth_of(rows: Sequence[Row], without_seed: int | None = None) -> npt.NDArray[np.float64]:
    """[networks] test images that the longest trainings classify correctly, the mean over seeds."""
    steps = longest(rows)
    return np.array(
        [
            np.mean([t.test for (seed, length), t in row.trained.items() if length == steps and seed != without_seed])
            for row in rows
        ]
    )


def training_columns(rows: Sequence[Row]) -> list[TrainingColumn]:
    """The trainings of the first seed, by their lengths; the longest is held against the other seeds alone."""
    seed = first_seed(rows)
    columns = []
    for steps in sorted({steps for _, steps in rows[0].trained}):
        trained = [row.trained[seed, steps] for row in rows]
        columns.append(
            TrainingColumn(
                f"training, {steps} steps",
                np.array([training.held_out for training in trained], dtype=np.float64),
                truth_of(rows, without_seed=seed if steps == longest(rows) else None),
                float(np.mean([training.seconds for training in trained])),
            )
        )
    return columns
