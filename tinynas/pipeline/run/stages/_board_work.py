"""Work on the board that several stages do: build one network, run it, and keep what was predicted beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinynas.boards import DoesNotFitError
from tinynas.engine import Execution, ModelInfo
from tinynas.errors import ExternalError
from tinynas.graph import Graph
from tinynas.latency import InferenceMeasurement, Measurement
from tinynas.lowering import Schedule
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs import BlockSchedules, CostModel, expected_ticks
from tinynas.pipeline.deployment import Deployment, Int8Array, NetworkMeasurement, connected, deploy, flash, measure
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.spaces import Architecture
from tinynas.targets import Reserve


class VerdictMismatch(ExternalError):
    """The memory model said that a network fits and the linker says it does not, or the other way round.

    Attributes:
        region: of memory, which is too small.
    """

    def __init__(self, message: str, region: str) -> None:
        super().__init__(message)
        self.region = region


@dataclass(frozen=True)
class BuiltNetwork:
    """A network that was built and run, with the measurement."""

    deployment: Deployment
    measured: NetworkMeasurement


def execution_of(context: RunContext, memory: NativeMemoryModel, architecture: Architecture, graph: Graph) -> Execution:
    """How a network of the run is executed, from its candidates to its winner: as in the search's costs of it."""
    schedules = BlockSchedules(context.lowering)
    return CostModel(
        context.board,
        memory,
        context.reserve,
        schedules=schedules,
        streams=context.config.engine.streams,
        stream_input=context.config.engine.stream_input,
        patches=context.config.engine.patches,
        unlinking=context.config.engine.leave_out_kernels,
    ).execution(architecture, graph)


def build_and_measure(
    context: RunContext,
    memory: NativeMemoryModel,
    name: str,
    graph: Graph,
    inputs: Int8Array,
    *,
    folder: str,
    info: ModelInfo | None = None,
    schedule: Schedule | None = None,
    reserve: Reserve | None = None,
) -> BuiltNetwork:
    """Build `graph` for the board, as `schedule` or by the local rule, and run `inputs`; journal memory and verdict.

    The generated code and the image stay in `folder` of the run directory. The `reserve` is the run's unless another
    one is given.

    Raises:
        VerdictMismatch: the network was predicted to fit and does not link.
        ExternalError: an output differs from the reference, or the board failed.
    """
    settings = context.config.measure
    reserve = context.reserve if reserve is None else reserve
    directory = context.run.file(folder)
    directory.mkdir(parents=True, exist_ok=True)
    with connected(settings.port, context.board) as line:
        try:
            deployment = deploy(
                graph,
                context.board,
                directory,
                info=info,
                toolchain=settings.toolchain,
                reserve=reserve,
                schedule=schedule,
            )
        except DoesNotFitError as error:
            raise VerdictMismatch(
                f"{name} was predicted to fit {context.board.name}, but {error}. The memory model is out of date: "
                f"run tools/regenerate_memory_model.py --board {context.board.argument} "
                f"--toolchain {settings.toolchain} --virtual",
                error.region,
            ) from error
        expected = None
        if line is not None:
            expected = expected_ticks(deployment.schedule, context.board, settings.toolchain)
            flash(context.board, deployment.firmware.elf, probe=settings.probe)
        measured = measure(
            deployment, context.board, inputs, line=line, quantity=context.quantity, expected_ticks=expected
        )
    if measured.mismatches:
        raise ExternalError(
            f"{name}: {measured.mismatches} of {len(inputs)} outputs of the board differ from the reference executor"
        )
    _journal_verdict(context, memory, name, deployment, measured, reserve)
    return BuiltNetwork(deployment, measured)


def _journal_verdict(
    context: RunContext,
    memory: NativeMemoryModel,
    name: str,
    deployment: Deployment,
    measured: NetworkMeasurement,
    reserve: Reserve,
) -> None:
    if context.run.journal.last("verdict", network=name) is not None:
        return  # the process died after this record and before the stage was finished
    sram = memory.sram(deployment.schedule, reserve)
    flash_usage = memory.flash(deployment.schedule, reserve)
    verdict = memory.fits(deployment.schedule, reserve)
    context.run.journal.append(
        "verdict",
        network=name,
        predicted_fits=verdict.fits,
        linked=True,
        predicted_sram_bytes=sram.static_bytes,
        linked_sram_bytes=deployment.firmware.static_sram_bytes,
        predicted_flash_bytes=flash_usage.total_bytes,
        linked_flash_bytes=deployment.firmware.flash_bytes,
        predicted_stack_bytes=sram.stack_bytes,
        measured_stack_bytes=measured.memory.stack_used_bytes,
        agree=verdict.fits is True and measured.memory.stack_used_bytes <= sram.stack_bytes,
    )


def latency_json(built: BuiltNetwork) -> dict[str, Any]:
    """What the latency model learns from a measurement, as a journal keeps it."""
    schedule, measured = built.deployment.schedule, built.measured
    return {
        "unit": measured.unit,
        "ticks": measured.ticks,
        "clock_hz": measured.clock_hz,
        "layers": [
            {
                "name": step.name,
                "variant": layer.variant,
                "features": dict(layer.features),
                "value": layer.value,
                "within": [[name, dict(features)] for name, features in layer.within],
            }
            for step, layer in zip(schedule.steps, measured.layers(schedule), strict=True)
        ],
    }


def layers_of(document: Mapping[str, Any]) -> list[Measurement]:
    """The layers in what `latency_json` wrote."""
    return [
        Measurement(
            entry["variant"],
            entry["features"],
            entry["value"],
            tuple((name, features) for name, features in entry.get("within", ())),
        )
        for entry in document["layers"]
    ]


def inference_of(document: Mapping[str, Any]) -> InferenceMeasurement:
    """The whole inference in what `latency_json` wrote."""
    layers = document["layers"]
    return InferenceMeasurement(len(layers), sum(entry["value"] for entry in layers), float(document["ticks"]))
