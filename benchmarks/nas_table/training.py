"""How every network of the table is trained: the same recipe from random weights, at each number of steps anew."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from nas_table.space import RESOLUTION, TableSpace
from nas_table.table import DATASET, HELD_OUT, SEEDS, STEPS, Trained, Training
from tinynas.graph import DType
from tinynas.spaces import build_graph
from tinynas.training import (
    Dataset,
    Supernet,
    TrainingSettings,
    accuracy,
    float_graph,
    load_dataset,
    recalibrate_batch_norm,
    train_subnet,
)

_RECALIBRATION_IMAGES = 512


def settings(steps: int) -> TrainingSettings:
    """SGD with batches of 128 and no augmentation."""
    return TrainingSettings(steps=steps, batch_size=128, learning_rate=0.2, label_smoothing=0.0, shards=1)


def recipe() -> dict[str, Any]:
    """What a row of the table depends on besides the data, as JSON values."""
    first = asdict(settings(STEPS[0]))
    optimizer = first.pop("optimizer")
    return {
        **{key: value for key, value in first.items() if key not in ("steps", "gradient_clip", "augmentation")},
        "optimizer": {"name": type(settings(1).optimizer).__name__, **optimizer},
        "recalibration_images": _RECALIBRATION_IMAGES,
        "resolution": RESOLUTION,
        "steps": list(STEPS),
        "seeds": list(SEEDS),
    }


def table_data(directory: Path | None = None) -> Dataset:
    """The images of the table, at its resolution.

    Raises:
        DatasetError: they are not there, or damaged.
    """
    return load_dataset(DATASET, directory=directory, held_out=HELD_OUT, seed=0).resized(RESOLUTION)


def train(data: Dataset, training: Training) -> Trained:
    """Train one network with one thread.

    Raises:
        TrainingDiverged: the loss is no longer finite.
    """
    torch.set_num_threads(1)
    channels = data.image_shape[2]
    graph = build_graph(
        TableSpace().decode(training.genotype, 1.0, RESOLUTION, channels, len(data.classes)), DType.FLOAT32
    )
    network = Supernet([graph], seed=training.seed)
    began = time.process_time()
    train_subnet(network, graph, data=data.train, settings=settings(training.steps), seed=training.seed)
    seconds = time.process_time() - began
    statistics = recalibrate_batch_norm(network, graph, data.train.images[:_RECALIBRATION_IMAGES])
    trained = float_graph(network, graph, statistics)
    held_out, test = (round(accuracy(trained, split) * len(split)) for split in (data.validation, data.test))
    return Trained(held_out, test, round(seconds, 3))


def train_all(
    trainings: Sequence[Training], processes: int, directory: Path | None = None
) -> Iterator[tuple[Training, Trained]]:
    """Train as many at once as there are processes, and give each result as soon as it is there, in any order."""
    with get_context("spawn").Pool(processes, _load, (directory,)) as pool:
        yield from pool.imap_unordered(_train, trainings)


_data: Dataset | None = None


def _load(directory: Path | None) -> None:
    global _data
    _data = table_data(directory)


def _train(training: Training) -> tuple[Training, Trained]:
    assert _data is not None
    return training, train(_data, training)
