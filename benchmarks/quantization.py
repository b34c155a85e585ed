"""What int8 costs: accuracy of five networks in float and quantized in several ways, on images that were held out.

    python benchmarks/quantization.py
    python benchmarks/quantization.py --steps 1500 --calibrations 3 --qat-steps 300 --keep /tmp/networks

Plain convolutions, MobileNetV2, and three networks of the space `tiny` of other blocks, trained on Fashion-MNIST by
Muon in batches of 256 and executed in integers, as on the device. Beside float are differences to it in points: the
mean over sets of calibration images, and half of its 90 % interval, of paired differences of 10,000 training images
that were held out; and how many of them are classified otherwise than in float. The last rows are of all networks.
QAT starts from the biases and scales of the way before it. The test images are not looked at.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from recipes import NETWORKS as BY_HAND
from rich.console import Console
from rich.table import Table

from tinynas.errors import TinyNASError, UsageError
from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, Graph
from tinynas.quantization import (
    Calibration,
    RangeMethod,
    calibrate,
    correct_biases,
    integer_predictions,
    quantize,
    train_quantization_aware,
)
from tinynas.spaces import Architecture, Genotype, build_graph, load_space
from tinynas.training import (
    Augmentation,
    Dataset,
    Muon,
    Split,
    Supernet,
    TrainingSettings,
    float_graph,
    graph_logits,
    graph_weights,
    images_to_tensor,
    load_dataset,
    recalibrate_batch_norm,
    train_subnet,
)

_HELD_OUT = 10_000
_CALIBRATION_IMAGES = 512
_BATCH = 250
_Z90 = 1.645  # of the standard normal distribution: 90 % lie within as many standard deviations


def _of_tiny(genotype: Genotype) -> Callable[[], Architecture]:
    return lambda: load_space("tiny").decode(genotype, 1.0, 28, 1, 10)


NETWORKS: dict[str, Callable[[], Architecture]] = {
    **BY_HAND,
    "fused": _of_tiny((8, 5, 1, 3, 32, 1, 0, 5, 3, 3, 24, 1, 0, 3, 2, 3, 16, 1, 0, 5, 2, 0)),
    "residual": _of_tiny((8, 3, 0, 4, 20, 1, 1, 3, 0, 4, 24, 1, 1, 3, 0, 4, 32, 2, 3, 3, 0, 0)),
    "inverted": _of_tiny((16, 3, 0, 1, 16, 2, 1, 3, 3, 1, 24, 2, 1, 5, 3, 1, 32, 2, 3, 3, 4, 0)),
}

_WAYS = ("min-max", "mse", "mse, biases corrected", "QAT")


class Difference(NamedTuple):
    """Of an int8 network to its float network, in points.

    Attributes:
        mean: of the accuracy.
        half: of the 90 % interval of `mean`.
        changed: share of the images that are classified otherwise, in percent.
    """

    mean: float
    half: float
    changed: float

    def cells(self) -> tuple[str, str]:
        """As the table has them."""
        return f"{self.mean:+.2f} +- {self.half:.2f}", f"{self.changed:.2f} %"


def difference(
    exact: npt.NDArray[np.int64], quantized: Sequence[npt.NDArray[np.int64]], labels: npt.NDArray[np.int64]
) -> Difference:
    """Paired over images.

    Args:
        exact: [N] classes by the float network.
        quantized: [N] classes by an int8 network, for each set of calibration images.
        labels: [N].
    """
    gains = np.mean([(q == labels).astype(float) for q in quantized], axis=0) - (exact == labels)
    changed = float(np.mean([q != exact for q in quantized]))
    return Difference(
        100 * float(gains.mean()), 100 * _Z90 * float(gains.std(ddof=1)) / math.sqrt(len(gains)), 100 * changed
    )


def of_all(differences: Sequence[Difference]) -> Difference:
    """The mean over these networks, the held-out images being what is random."""
    count = len(differences)
    half = math.sqrt(sum(d.half**2 for d in differences)) / count
    return Difference(sum(d.mean for d in differences) / count, half, sum(d.changed for d in differences) / count)


@dataclass(frozen=True)
class _Work:
    network: str
    steps: int
    calibrations: int
    qat_steps: int
    images: int
    data: Path | None
    keep: Path | None


@dataclass(frozen=True)
class _Found:
    accuracy: float
    differences: tuple[Difference, ...]


def main() -> None:
    """Print a line for each network, and one for all."""
    given = parser().parse_args()
    if min(given.steps, given.calibrations, given.processes, given.qat_steps + 1) < 1:
        raise UsageError("--steps, --calibrations and --processes are at least 1, and --qat-steps is not negative")
    if not 2 <= given.images <= _HELD_OUT:
        raise UsageError(f"--images are 2 to {_HELD_OUT}")
    names = list(dict.fromkeys(given.networks))
    works = [
        _Work(name, given.steps, given.calibrations, given.qat_steps, given.images, given.data, given.keep)
        for name in names
    ]
    with get_context("spawn").Pool(given.processes) as pool:
        found = dict(zip(names, pool.imap(_measure, works, chunksize=1), strict=True))

    shown = Table(
        title=f"{given.steps:,} steps, {given.calibrations} sets of calibration images, QAT {given.qat_steps}"
    )
    for column in ("network", "way", "accuracy", "changed"):
        shown.add_column(column, justify="left" if column in ("network", "way") else "right")
    rows = list(found.items())
    mean = sum(row.accuracy for _, row in rows) / len(rows)
    columns = zip(*(row.differences for _, row in rows), strict=True)
    rows.append(("all", _Found(mean, tuple(map(of_all, columns)))))
    for name, row in rows:
        shown.add_section()
        shown.add_row(name, "float", f"{100 * row.accuracy:.2f} %", "")
        for way, found_difference in zip(_WAYS, row.differences, strict=False):
            shown.add_row("", way, *found_difference.cells())
    Console().print(shown)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    found.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    found.add_argument("--steps", type=int, default=500, help="of the float trainings")
    found.add_argument("--calibrations", type=int, default=1, help=f"sets of {_CALIBRATION_IMAGES} images")
    found.add_argument("--qat-steps", type=int, default=0)
    found.add_argument("--images", type=int, default=_HELD_OUT, help="that are classified, of those held out")
    found.add_argument("--processes", type=int, default=2)
    found.add_argument("--data", type=Path, help="data directory")
    found.add_argument("--keep", type=Path, help="folder of float networks, trained where they are not there yet")
    return found


def _measure(work: _Work) -> _Found:
    torch.set_num_threads(1)
    data = load_dataset("fashion-mnist", directory=work.data, held_out=_HELD_OUT, seed=0)
    data = replace(data, validation=data.validation.take(np.arange(work.images)))
    graph = _trained(work, data)
    labels = data.validation.labels
    exact = _float_predictions(graph, data.validation.images)
    predicted = [_quantized(graph, data, seed, work.qat_steps) for seed in range(work.calibrations)]
    differences = (difference(exact, way, labels) for way in zip(*predicted, strict=True))
    return _Found(float((exact == labels).mean()), tuple(differences))


def _trained(work: _Work, data: Dataset) -> Graph:
    kept = None if work.keep is None else work.keep / f"{work.network}-{work.steps}.tflite"
    if kept is not None and kept.exists():
        return read_tflite(kept)
    skeleton = build_graph(NETWORKS[work.network](), DType.FLOAT32)
    network = Supernet([skeleton], seed=0)
    train_subnet(network, skeleton, data=data.train, settings=_settings(work.steps), seed=0)
    statistics = recalibrate_batch_norm(network, skeleton, data.train.images[:_CALIBRATION_IMAGES])
    graph = float_graph(network, skeleton, statistics)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(write_tflite(graph))
    return graph


def _settings(steps: int) -> TrainingSettings:
    return TrainingSettings(
        steps, batch_size=256, optimizer=Muon(), label_smoothing=0.0, shards=1, augmentation=Augmentation(flip=True)
    )


def _float_predictions(graph: Graph, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    weights = graph_weights(graph)
    with torch.no_grad():
        batches = [images_to_tensor(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
        return np.concatenate([graph_logits(graph, weights, batch).argmax(dim=1).numpy() for batch in batches])


def _quantized(graph: Graph, data: Dataset, seed: int, qat_steps: int) -> list[npt.NDArray[np.int64]]:
    """Held-out predictions by each way, with calibration images of their own for each seed."""
    chosen = np.random.default_rng(seed).permutation(len(data.train))[:_CALIBRATION_IMAGES]
    images = data.train.images[chosen]
    plain = calibrate(graph, images, activations=RangeMethod.MIN_MAX, weights=RangeMethod.MIN_MAX)
    calibration = calibrate(graph, images)
    corrected = correct_biases(graph, calibration, images)
    graphs = [quantize(graph, plain), quantize(graph, calibration), quantize(corrected, calibration)]
    if qat_steps:
        tuned = _tuned(corrected, calibration, data.train, seed, qat_steps)
        graphs.append(quantize(tuned, calibration))
    return [integer_predictions(int8, data.validation.images) for int8 in graphs]


def _tuned(graph: Graph, calibration: Calibration, train: Split, seed: int, steps: int) -> Graph:
    settings = TrainingSettings(
        steps, batch_size=128, label_smoothing=0.0, shards=1, augmentation=Augmentation(flip=True)
    )
    return train_quantization_aware(graph, calibration, data=train, settings=settings, seed=seed)


if __name__ == "__main__":
    try:
        main()
    except TinyNASError as error:
        raise SystemExit(f"error: {error}") from error
