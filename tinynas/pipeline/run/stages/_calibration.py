"""Stage: a first latency model, from networks made to tell the kernels apart, before anything is trained."""

from __future__ import annotations

from typing import Any

from tinynas.latency import LatencyModel, calibration_networks, fit_latency, from_json, to_json
from tinynas.lowering import Schedule
from tinynas.memory import NativeMemoryModel, kernel_hashes
from tinynas.pipeline.deployment import random_inputs, warn_of_other_clock
from tinynas.pipeline.run.stages._board_work import build_and_measure, inference_of, latency_json, layers_of
from tinynas.pipeline.run.stages._context import RunContext


def latency_model_file(round_number: int) -> str:
    """The artefact with the latency model after `round_number` rounds (0: the calibration)."""
    return f"latency/model-{round_number}.json"


def load_round_model(context: RunContext, round_number: int) -> LatencyModel:
    """The latency model that round `round_number` of the search was refined to."""
    name = latency_model_file(round_number)
    return from_json(context.run.read_json(name), name)


def calibrate(context: RunContext, memory: NativeMemoryModel) -> LatencyModel:
    """Measure calibration networks on the board and fit the first latency model."""
    context.run.once("calibration", lambda: _calibrate(context, memory), [latency_model_file(0)])
    return load_round_model(context, 0)


def device_clock_hz(context: RunContext) -> int:
    """The clock that the device reported when it was calibrated."""
    calibration = context.run.finished("calibration")
    if calibration is None:
        raise RuntimeError("the board is not calibrated yet")
    return int(calibration["clock_hz"])


def _calibrate(context: RunContext, memory: NativeMemoryModel) -> dict[str, Any]:
    def fits(schedule: Schedule) -> bool:
        return memory.fits(schedule, context.reserve).fits is True

    documents: list[dict[str, Any]] = []
    count = context.config.measure.calibration_networks
    networks = calibration_networks(count, fits=fits, seed=context.config.seed, lowering=context.lowering)
    context.progress.begin("calibration", len(networks))
    for index, schedule in enumerate(networks):
        name = f"calibration-{index}"

        def measure_one(name: str = name, schedule: Schedule = schedule) -> dict[str, Any]:
            inputs = random_inputs(schedule, 1, context.config.seed)
            built = build_and_measure(
                context, memory, name, schedule.graph, inputs, folder=f"candidates/{name}", schedule=schedule
            )
            return latency_json(built)

        documents.append(context.run.once(name, measure_one))
        context.progress.advance(index + 1)
    warn_of_other_clock(documents[0]["clock_hz"], context.board)
    model = fit_latency(
        [layer for document in documents for layer in layers_of(document)],
        unit=context.quantity.unit,
        basis=context.quantity.basis,
        inferences=[inference_of(document) for document in documents],
        provenance={
            "board": context.board.name,
            "toolchain": context.config.measure.toolchain,
            "transport": context.config.measure.transport,
            "networks": len(documents),
            "seed": context.config.seed,
            "sources": kernel_hashes({layer.variant for document in documents for layer in layers_of(document)}),
        },
    )
    context.run.write_json(latency_model_file(0), to_json(model))
    layers = sum(len(document["layers"]) for document in documents)
    context.progress.end(f"{layers} layers of {len(documents)} networks, every output equal to the reference")
    return {"networks": len(documents), "layers": layers, "clock_hz": documents[0]["clock_hz"]}
