"""Stage: the winner and the baselines, trained the same way and quantized to int8."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import Graph
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._training_settings import training_settings
from tinynas.pipeline.run.stages._trainings import Recipe, report_steps, seed_offset, train
from tinynas.pipeline.run.storage import write_atomically
from tinynas.quantization import (
    RangeMethod,
    calibrate,
    correct_biases,
    integer_accuracy,
    quantize,
    train_quantization_aware,
)
from tinynas.training import Split, accuracy


@dataclass(frozen=True)
class TrainedNetwork:
    """A contender after training: the float network before quantization, and what is deployed."""

    contender: Contender
    float_network: Graph = field(repr=False)
    int8_network: Graph = field(repr=False)


def train_and_quantize(context: RunContext, recipe: Recipe, contender: Contender) -> TrainedNetwork | None:
    """Train and quantize one contender, or read it back if that was finished before; None if its training diverged."""
    run = context.run
    if not train(context, recipe, contender):
        return None
    data = context.data.resized(contender.architecture.input_shape[1])
    float_network = read_tflite(run.file(contender.float_file))
    run.once(
        f"quantize {contender.key}",
        lambda: _quantize(context, contender, float_network, data.train, data.validation),
        [contender.model_file],
    )
    run.file(contender.checkpoint("quantize")).unlink(missing_ok=True)
    return finished_network(context, contender)


def finished_network(context: RunContext, contender: Contender) -> TrainedNetwork | None:
    """A contender that was trained and quantized before; None if it was not."""
    run = context.run
    if run.finished(f"quantize {contender.key}") is None:
        return None
    float_network = read_tflite(run.file(contender.float_file))
    return TrainedNetwork(contender, float_network, read_tflite(run.file(contender.model_file)))


def _quantize(
    context: RunContext, contender: Contender, folded: Graph, train: Split, validation: Split
) -> dict[str, Any]:
    settings = context.config.quantization
    images = train.images[: settings.calibration_images]
    calibration = calibrate(
        folded,
        images,
        activations=RangeMethod(settings.activation_ranges),
        weights=RangeMethod(settings.weight_ranges),
    )
    corrected = correct_biases(folded, calibration, images) if settings.bias_correction else folded
    rounded = quantize(corrected, calibration)
    held_out = {
        "float": accuracy(folded, validation),
        "ptq": integer_accuracy(rounded, validation, processes=context.processes),
    }
    if settings.method == "qat":
        context.progress.begin(f"quantize {contender.label}", settings.steps)
        tuned = train_quantization_aware(
            corrected,
            calibration,
            data=train,
            settings=training_settings(context.config, settings),
            seed=context.config.seed + 2 + seed_offset(contender.repeat),
            processes=context.processes,
            checkpoint=context.run.file(contender.checkpoint("quantize")),
            progress=report_steps(context),
        )
        aware = quantize(tuned, calibration)
        held_out["qat"] = integer_accuracy(aware, validation, processes=context.processes)
        # Whichever holds the accuracy better on held-out images; the test set is not looked at here.
        rounded = aware if held_out["qat"] >= held_out["ptq"] else rounded
        context.progress.end(", ".join(f"{name} {100 * value:.2f} %" for name, value in held_out.items()))
    write_atomically(context.run.file(contender.model_file), write_tflite(rounded))
    return {"held_out": held_out}
