"""Quantization-aware training: a short fine-tuning of the rounded network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tinynas.graph import Graph
from tinynas.quantization._calibration import Calibration
from tinynas.quantization._fake_quantization import FakeQuantizedNetwork
from tinynas.training import ProgressCallback, Recipe, Split, TrainingSettings, descend

_GENTLE = 0.01
"""Peak of the learning rate, as a fraction of that for training from scratch."""


def train_quantization_aware(
    graph: Graph,
    calibration: Calibration,
    *,
    data: Split,
    settings: TrainingSettings,
    seed: int = 0,
    processes: int = 1,
    checkpoint: Path | None = None,
    progress: ProgressCallback | None = None,
) -> Graph:
    """Fine-tune a float32 graph so that it keeps its accuracy when `quantize` rounds it.

    Batch normalization is folded before, so no statistics change; a few hundred steps at a low learning rate (about
    a twentieth of that of the training before) are enough. It runs on the CPU.

    Args:
        graph: float32, with weights.
        calibration: from `calibrate`; kept fixed.
        data: training examples at the network's resolution.
        settings: how to train; without a learning rate its peak is a hundredth of the optimizer's own.
        seed: of data order and augmentation.
        processes: see `TrainingSettings.shards`; the result does not depend on it.
        checkpoint: as for `tinynas.training.train_supernet`.
        progress: called after each step.

    Returns:
        The float32 graph with its new weights, to be given to `quantize` with the same `calibration`.

    Raises:
        CheckpointError: the checkpoint is damaged or belongs to another run.
        TrainingDiverged: the loss is no longer finite.
    """
    if settings.learning_rate is None:
        settings = replace(settings, learning_rate=_GENTLE * settings.peak_learning_rate)
    network = FakeQuantizedNetwork(graph, calibration)
    descend(
        network,
        Recipe(FakeQuantizedNetwork, (graph, calibration)),
        sample=lambda step: (),
        data=data,
        settings=settings,
        seed=seed,
        processes=processes,
        checkpoint=checkpoint,
        progress=progress,
    )
    return network.float_graph()
