"""Stage: train the winner and the baselines the same way, and quantize them to int8."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, Graph
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._supernet import augmentation
from tinynas.pipeline.run.storage import write_atomically
from tinynas.quantization import calibrate, integer_accuracy, quantize, train_quantization_aware
from tinynas.spaces import Architecture, Genotype, build_graph
from tinynas.training import (
    OPTIMIZERS,
    Split,
    Supernet,
    TrainingSettings,
    accuracy,
    float_graph,
    recalibrate_batch_norm,
    train_subnet,
    training_device,
)


@dataclass(frozen=True)
class Contender:
    """A network that is trained to the end: the winner of the search, or a baseline.

    Attributes:
        key: names its folder in the run directory.
        label: for readers.
        architecture: what it is.
        genotype: None for a network from outside the search space.
        shared_accuracy: its score in the search; None for a network from outside.
    """

    key: str
    label: str
    architecture: Architecture
    genotype: Genotype | None = None
    shared_accuracy: float | None = None

    @property
    def folder(self) -> str:
        return "winner" if self.key == "winner" else f"baselines/{self.key}"

    @property
    def model_file(self) -> str:
        """The int8 model; the winner's lies where it is found first."""
        return "winner.tflite" if self.key == "winner" else f"{self.folder}/model.tflite"

    @property
    def float_file(self) -> str:
        """The float network before quantization."""
        return f"{self.folder}/float.tflite"


@dataclass(frozen=True)
class TrainedNetwork:
    """A contender after training: the float network before quantization, and what is deployed."""

    contender: Contender
    float_network: Graph = field(repr=False)
    int8_network: Graph = field(repr=False)


def train_and_quantize(
    context: RunContext, chosen: ChosenSpace, supernet: Supernet | None, contender: Contender
) -> TrainedNetwork:
    """Train and quantize one contender, or read it back if that was finished before.

    All are trained by the same recipe for the same number of steps. A network of the space starts from the supernet's
    weights, where there is one; one from outside has none to start from.
    """
    run = context.run
    data = context.data.resized(contender.architecture.input_shape[1])
    run.once(
        f"train {contender.key}",
        lambda: _train(context, contender, supernet, data.train),
        [contender.float_file],
    )
    run.file(_checkpoint(contender, "train")).unlink(missing_ok=True)
    float_network = read_tflite(run.file(contender.float_file))
    run.once(
        f"quantize {contender.key}",
        lambda: _quantize(context, contender, float_network, data.train, data.validation),
        [contender.model_file],
    )
    run.file(_checkpoint(contender, "quantize")).unlink(missing_ok=True)
    return TrainedNetwork(contender, float_network, read_tflite(run.file(contender.model_file)))


def _train(context: RunContext, contender: Contender, supernet: Supernet | None, data: Split) -> dict[str, Any]:
    settings, seed = context.config.finetune, context.config.seed
    graph = build_graph(contender.architecture, DType.FLOAT32)
    if supernet is None or contender.genotype is None:
        subnet = Supernet([graph], seed=seed, device=training_device())
    else:
        subnet = supernet.extract(graph)
    context.progress.begin(f"train {contender.label}", settings.steps)
    train_subnet(
        subnet,
        graph,
        data=data,
        settings=TrainingSettings(
            steps=settings.steps,
            batch_size=settings.batch_size,
            optimizer=OPTIMIZERS[settings.optimizer](),
            learning_rate=settings.learning_rate,
            label_smoothing=settings.label_smoothing,
            augmentation=augmentation(context.config.data),
        ),
        seed=seed + 1,  # other batches than those the supernet began with
        processes=context.processes,
        checkpoint=context.run.file(_checkpoint(contender, "train")),
        progress=_report_steps(context),
    )
    recalibration = data.images[: context.config.search.recalibration_images]
    folded = float_graph(subnet, graph, recalibrate_batch_norm(subnet, graph, recalibration))
    write_atomically(context.run.file(contender.float_file), write_tflite(folded))
    context.progress.end(f"{settings.steps} steps")
    return {"steps": settings.steps}


def _quantize(
    context: RunContext, contender: Contender, folded: Graph, train: Split, validation: Split
) -> dict[str, Any]:
    settings = context.config.quantization
    activations = calibrate(folded, train.images[: settings.calibration_images])
    rounded = quantize(folded, activations)
    held_out = {
        "float": accuracy(folded, validation),
        "ptq": integer_accuracy(rounded, validation, processes=context.processes),
    }
    if settings.method == "qat":
        context.progress.begin(f"quantize {contender.label}", settings.steps)
        tuned = train_quantization_aware(
            folded,
            activations,
            data=train,
            settings=TrainingSettings(
                steps=settings.steps,
                batch_size=context.config.finetune.batch_size,
                optimizer=OPTIMIZERS[settings.optimizer](),
                learning_rate=settings.learning_rate,
                label_smoothing=context.config.finetune.label_smoothing,
                augmentation=augmentation(context.config.data),
            ),
            seed=context.config.seed + 2,
            processes=context.processes,
            checkpoint=context.run.file(_checkpoint(contender, "quantize")),
            progress=_report_steps(context),
        )
        aware = quantize(tuned, activations)
        held_out["qat"] = integer_accuracy(aware, validation, processes=context.processes)
        # Whichever holds the accuracy better on held-out images; the test set is not looked at here.
        rounded = aware if held_out["qat"] >= held_out["ptq"] else rounded
        context.progress.end(", ".join(f"{name} {100 * value:.2f} %" for name, value in held_out.items()))
    write_atomically(context.run.file(contender.model_file), write_tflite(rounded))
    return {"held_out": held_out}


def _checkpoint(contender: Contender, work: str) -> str:
    return f"checkpoints/{work}-{contender.key}.pt"


def _report_steps(context: RunContext) -> Callable[[int, int, float], None]:
    return lambda step, _steps, loss: context.progress.advance(step, f"loss {loss:.3f}")
