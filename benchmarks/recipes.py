"""What trainings of the same number of images reach: optimizers, batch sizes and learning rates side by side.

    python benchmarks/recipes.py
    python benchmarks/recipes.py --images 400000 --seeds 3 --recipes sgd:64:0.15 muon:256:0.15

Two networks that people scale by hand to the demo's board (at most 2.4M instructions): plain convolutions (2.06M MACs)
and MobileNetV2 (0.76M). Held-out accuracy on 10,000 of the training images: the mean over seeds, and half of its 90 %
interval by Student's t; the test images are not looked at. Core-seconds are of the processor, one training a process,
and depend on what runs beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from tinynas.confidence import mean_interval
from tinynas.errors import TinyNASError, UsageError
from tinynas.graph import DType
from tinynas.spaces import Architecture, build_graph, mobilenet_v2_architecture, plain_cnn_architecture
from tinynas.training import OPTIMIZERS, Supernet, TrainingSettings, load_dataset, score_subnet, train_subnet

_HELD_OUT = 10_000
_RECALIBRATION_IMAGES = 512
_RECIPES = ["sgd:64:0.15", "sgd:256:0.3", "muon:64:0.08", "muon:256:0.15"]

NETWORKS: dict[str, Callable[[], Architecture]] = {
    "plain-cnn": lambda: plain_cnn_architecture(16, 28, 1, 10, stages=2, convolutions=3, stem_stride=2),
    "mobilenet-v2": lambda: mobilenet_v2_architecture(0.2, 28, 1, 10, depth=0.25),
}


@dataclass(frozen=True)
class _Recipe:
    optimizer: str
    batch_size: int
    learning_rate: float

    def __str__(self) -> str:
        return f"{self.optimizer}, batches of {self.batch_size}, {self.learning_rate:g}"


class _Training(NamedTuple):
    network: str
    recipe: _Recipe
    images: int
    seed: int
    data: Path | None


def main() -> None:
    """Print a line for each network and recipe."""
    arguments = parser().parse_args()
    recipes = list(dict.fromkeys(map(_parse, arguments.recipes)))
    if min(arguments.seeds, arguments.processes, arguments.images // max(r.batch_size for r in recipes)) < 1:
        raise UsageError("--seeds and --processes are at least 1, and --images at least a batch")
    trainings = [
        _Training(network, recipe, arguments.images, seed, arguments.data)
        for network, recipe, seed in product(arguments.networks, recipes, range(arguments.seeds))
    ]
    with get_context("spawn").Pool(arguments.processes) as pool:
        results = dict(zip(trainings, pool.imap(_train, trainings, chunksize=1), strict=True))

    shown = Table(title=f"{arguments.images:,} images, {arguments.seeds} seeds: held-out accuracy")
    for column in ("network", "recipe", "steps", "accuracy", "core-seconds"):
        shown.add_column(column, justify="left" if column in ("network", "recipe") else "right")
    for network, recipe in product(arguments.networks, recipes):
        found = [results[training] for training in trainings if training[:2] == (network, recipe)]
        shown.add_row(
            network,
            str(recipe),
            f"{arguments.images // recipe.batch_size:,}",
            f"{mean_interval([accuracy for accuracy, _ in found]).in_percent()} %",
            f"{statistics.mean(seconds for _, seconds in found):.0f}",
        )
    Console().print(shown)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    found.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    found.add_argument("--recipes", nargs="+", metavar="OPTIMIZER:BATCH:RATE", default=_RECIPES)
    found.add_argument("--images", type=int, default=128_000, help="that each training sees")
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--processes", type=int, default=2)
    found.add_argument("--data", type=Path, help="data directory")
    return found


def _parse(text: str) -> _Recipe:
    try:
        optimizer, batch_size, learning_rate = text.split(":")
        found = _Recipe(optimizer, int(batch_size), float(learning_rate))
    except ValueError as error:
        raise UsageError(f"{text!r} is no recipe: write OPTIMIZER:BATCH:RATE, as sgd:64:0.15") from error
    if optimizer not in OPTIMIZERS:
        raise UsageError(f"{text!r} names no optimizer: take {', '.join(OPTIMIZERS)}")
    if found.batch_size < 2 or found.learning_rate <= 0:
        raise UsageError(f"{text!r} is no recipe: a batch has at least 2 images, and the rate is positive")
    return found


def _train(training: _Training) -> tuple[float, float]:
    """Held-out accuracy, and seconds of the processor."""
    torch.set_num_threads(1)
    recipe = training.recipe
    data = load_dataset("fashion-mnist", directory=training.data, held_out=_HELD_OUT, seed=0)
    graph = build_graph(NETWORKS[training.network](), DType.FLOAT32)
    network = Supernet([graph], seed=training.seed)
    settings = TrainingSettings(
        steps=training.images // recipe.batch_size,
        batch_size=recipe.batch_size,
        optimizer=OPTIMIZERS[recipe.optimizer](),
        learning_rate=recipe.learning_rate,
        label_smoothing=0.0,
        shards=1,
    )
    began = time.process_time()
    train_subnet(network, graph, data=data.train, settings=settings, seed=training.seed)
    seconds = time.process_time() - began
    return score_subnet(network, graph, data.train.images[:_RECALIBRATION_IMAGES], data.validation), seconds


if __name__ == "__main__":
    try:
        main()
    except TinyNASError as error:
        raise SystemExit(f"error: {error}") from error
