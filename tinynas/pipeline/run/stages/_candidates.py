"""Stage: build and measure the best networks of a round, and refine the latency model with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinynas.graph import Graph
from tinynas.latency import LatencyModel, refine, to_json
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.deployment import random_inputs
from tinynas.pipeline.run.stages._board_work import (
    build_and_measure,
    execution_of,
    inference_of,
    latency_json,
    layers_of,
)
from tinynas.pipeline.run.stages._calibration import latency_model_file, load_round_model
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._scored import Scored
from tinynas.quantization import calibrate, quantize
from tinynas.spaces import Genotype
from tinynas.training import Supernet, float_graph, recalibrate_batch_norm, training_device

_INPUTS = 4  # compared bit by bit per candidate; the winner gets `measure.images`


def candidate_to_int8(context: RunContext, chosen: ChosenSpace, shared: Supernet | None, genotype: Genotype) -> Graph:
    """A network with the shared weights, or where there are none with random ones, quantized as they are."""
    images = context.data.resized(chosen.resolution).train.images
    calibration = images[: context.config.quantization.calibration_images]
    graph = chosen.graph(genotype)
    network = shared or Supernet([graph], seed=context.config.seed, device=training_device())
    folded = float_graph(network, graph, recalibrate_batch_norm(network, graph, calibration))
    return quantize(folded, calibrate(folded, calibration))


def measure_and_refine(
    context: RunContext,
    chosen: ChosenSpace,
    shared: Supernet | None,
    memory: NativeMemoryModel,
    round_number: int,
    candidates: Sequence[Scored],
) -> LatencyModel:
    """Measure `candidates` and return the latency model refined with their layers; without any, the one before."""
    if not candidates:
        model = load_round_model(context, round_number - 1)
        context.progress.begin(f"measure, round {round_number}", 0)
        context.run.write_json(latency_model_file(round_number), to_json(model))
        context.progress.end("every network that was found has been measured")
        return model
    context.run.once(
        f"refinement {round_number}",
        lambda: _measure(context, chosen, shared, memory, round_number, candidates),
        [latency_model_file(round_number)],
    )
    return load_round_model(context, round_number)


def _measure(
    context: RunContext,
    chosen: ChosenSpace,
    shared: Supernet | None,
    memory: NativeMemoryModel,
    round_number: int,
    candidates: Sequence[Scored],
) -> dict[str, Any]:
    context.progress.begin(f"measure, round {round_number}", len(candidates))
    documents: list[Mapping[str, Any]] = []
    for index, entry in enumerate(candidates):
        name = f"round-{round_number}-candidate-{index}"

        def measure_one(name: str = name, entry: Scored = entry) -> dict[str, Any]:
            graph = candidate_to_int8(context, chosen, shared, entry.genotype)
            schedule = execution_of(context, memory, chosen.architecture(entry.genotype), graph).schedule()
            inputs = random_inputs(schedule, _INPUTS, context.config.seed)
            built = build_and_measure(
                context, memory, name, graph, inputs, folder=f"candidates/{name}", schedule=schedule
            )
            document = latency_json(built)
            context.run.journal.append(
                "measured", round=round_number, genotype=list(entry.genotype), ticks=document["ticks"]
            )
            return document

        documents.append(context.run.once(name, measure_one))
        context.progress.advance(index + 1)
    before = load_round_model(context, round_number - 1)
    layers = [layer for document in documents for layer in layers_of(document)]
    after = refine(
        before,
        layers,
        unit=context.quantity.unit,
        basis=context.quantity.basis,
        inferences=[inference_of(document) for document in documents],
        provenance={**before.provenance, "round": round_number},
    )
    context.run.write_json(latency_model_file(round_number), to_json(after))
    comparison = {**_compare(round_number, documents, before, after), "unit_name": context.quantity.name}
    context.progress.end(
        f"error per layer {100 * comparison['layer_error_before']:.3f} % -> "
        f"{100 * comparison['layer_error_after']:.3f} %, per network "
        f"{100 * comparison['network_error_before']:.3f} % -> {100 * comparison['network_error_after']:.3f} %"
    )
    return comparison


def _compare(
    round_number: int, documents: Sequence[Mapping[str, Any]], before: LatencyModel, after: LatencyModel
) -> dict[str, Any]:
    """Mean absolute relative errors of both models, per layer and per network, on what was measured in this round."""
    measured = [entry["value"] for document in documents for entry in document["layers"]]
    comparison: dict[str, Any] = {
        "round": round_number,
        "unit": after.unit,
        "basis": after.basis,
        "networks": len(documents),
        "layers": len(measured),
        "measured": measured,
    }
    for when, model in (("before", before), ("after", after)):
        predicted = [_layer(model, entry) for document in documents for entry in document["layers"]]
        totals = [
            sum(_layer(model, entry) for entry in document["layers"])
            + model.overhead.per_inference
            + model.overhead.per_step * len(document["layers"])
            for document in documents
        ]
        comparison[f"predicted_{when}"] = predicted
        comparison[f"layer_error_{when}"] = _mean_error(predicted, measured)
        comparison[f"network_error_{when}"] = _mean_error(totals, [document["ticks"] for document in documents])
    return comparison


def _layer(model: LatencyModel, entry: Mapping[str, Any]) -> float:
    """Predicted ticks of a step, of a streamed segment with the kernels that it calls."""
    kernels = [(entry["variant"], entry["features"]), *entry["within"]]
    ticks = [model.kernel_ticks(variant, features) for variant, features in kernels]
    # Where nothing is known of a kernel, an error of 100 %.
    return 0.0 if None in ticks else sum(filter(None, ticks))


def _mean_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    actual = np.asarray(measured, dtype=float)
    return float(np.mean(np.abs(np.asarray(predicted) - actual) / actual))
