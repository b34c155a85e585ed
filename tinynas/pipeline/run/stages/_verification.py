"""Stage: the last word on the winner and the baselines: on the board, and on the test set, which nothing saw before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinynas.engine import ChosenKernels, Execution, ModelInfo, choose_kernels
from tinynas.errors import AnswerIsNo
from tinynas.graph import Graph, count_macs, count_params
from tinynas.latency import LatencyModel
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.commands import measurement_json
from tinynas.pipeline.costs import LatencyLimit, kernels_json
from tinynas.pipeline.deployment import Int8Array
from tinynas.pipeline.run.stages._board_work import BuiltNetwork, build_and_measure, execution_of
from tinynas.pipeline.run.stages._calibration import load_round_model
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._networks import TrainedNetwork
from tinynas.quantization import integer_accuracy, quantize_images
from tinynas.targets import Reserve
from tinynas.training import PIXEL_SCALE, Dataset, accuracy

_BASELINE_IMAGES = 10


class TooSlowError(AnswerIsNo):
    """The trained winner takes longer on the board than the limit allows."""


@dataclass(frozen=True)
class BuildPlace:
    """What a build is called, and what it is held to.

    Attributes:
        key: names the work in the journal, and the network.
        folder: of the run directory, for code, firmware and measurement.
        images: held-out ones that are compared bit by bit.
        reserve: memory that stays free.
    """

    key: str
    folder: str
    images: int
    reserve: Reserve

    @property
    def measurement(self) -> str:
        """The file with what the board said."""
        return f"{self.folder}/measurement.json"


def build_and_compare(
    context: RunContext, memory: NativeMemoryModel, trained: TrainedNetwork, place: BuildPlace
) -> dict[str, Any]:
    """Choose the kernels of a trained network, build it, run held-out images on the board and compare every output.

    Returns:
        How it is executed, what it takes, and what was measured; computed once in the life of a run.
    """
    return context.run.once(
        f"verify {place.key}", lambda: _verify(context, memory, trained, place), [place.measurement]
    )


def verify_on_board(
    context: RunContext, memory: NativeMemoryModel, trained: TrainedNetwork, limit: LatencyLimit | None
) -> dict[str, Any]:
    """Build a trained network, run held-out images on the board, and compare every output bit by bit.

    Raises:
        TooSlowError: the winner exceeds the latency limit.
    """
    contender = trained.contender
    images = context.config.measure.images if contender.key == "winner" else _BASELINE_IMAGES
    place = BuildPlace(contender.key, contender.folder, images, context.reserve)
    result = build_and_compare(context, memory, trained, place)
    if contender.key == "winner" and limit is not None and result["ticks"] > limit.ticks:
        raise TooSlowError(
            f"the winner takes {result['ticks']:,} {limit.unit} and the limit is {limit.ticks:,.0f}: "
            "lower [limits] a little and search again"
        )
    return result


def test_accuracy(context: RunContext, networks: Sequence[TrainedNetwork]) -> dict[str, dict[str, float]]:
    """Float and int8 accuracy on the whole test set, by contender; computed once in the life of a run."""
    return {network.contender.key: _tested(context, network) for network in networks}


def _tested(context: RunContext, network: TrainedNetwork) -> dict[str, float]:
    def compute() -> dict[str, float]:
        context.progress.begin(f"test {network.contender.label}", len(context.data.test))
        test = context.data.resized(network.contender.architecture.input_shape[1]).test
        result = {
            "float": accuracy(network.float_network, test),
            "int8": integer_accuracy(network.int8_network, test, processes=context.processes),
        }
        context.progress.end(f"int8 {100 * result['int8']:.2f} %, float {100 * result['float']:.2f} %")
        return result

    return context.run.once(f"test {network.contender.key}", compute)


def model_info(name: str, data: Dataset) -> ModelInfo:
    """What the application engineer must know of a network trained on `data`."""
    return ModelInfo(
        name=name,
        description=f"classifier of {Path(data.name).stem}",
        labels=tuple(data.classes),
        scale=PIXEL_SCALE,
        raw_values="pixels of 0 to 255",
    )


def kernels_to_build(
    context: RunContext, memory: NativeMemoryModel, execution: Execution, reserve: Reserve
) -> ChosenKernels:
    """The kernels that a network is built with, by the last latency model of the run."""
    return choose_kernels(
        execution.schedule(),
        memory,
        load_round_model(context, context.config.search.rounds),
        reserve,
        by_shape=execution.by_shape(),
        arena_bytes=execution.lowering.arena_bytes,
    )


def _verify(
    context: RunContext, memory: NativeMemoryModel, trained: TrainedNetwork, place: BuildPlace
) -> dict[str, Any]:
    contender, graph = trained.contender, trained.int8_network
    inputs = _held_out_inputs(context, contender, graph, place.images)
    context.progress.begin(f"verify {contender.label}", len(inputs))
    execution = execution_of(context, memory, contender.architecture, graph)
    kernels = kernels_to_build(context, memory, execution, place.reserve)
    built = build_and_measure(
        context,
        memory,
        place.key,
        graph,
        inputs,
        folder=place.folder,
        info=model_info(contender.key, context.data),
        schedule=kernels.schedule,
        reserve=place.reserve,
    )
    document = {
        **measurement_json(built.deployment, built.measured, context.board),
        "images_compared": len(inputs),
        "predicted_layers": _predicted_layers(context, built),
    }
    context.run.write_json(place.measurement, document)
    context.progress.end(f"{len(inputs)} images bit by bit, {built.measured.ticks:,} {context.quantity.name}")
    usage = memory.fits(built.deployment.schedule, place.reserve).regions
    linked = built.deployment.firmware.region_usage
    return {
        "ticks": built.measured.ticks,
        "unit": built.measured.unit,
        "latency_ms": document["latency_ms"],
        "latency_basis": document["cycles_basis"],
        "images_compared": len(inputs),
        "sram_bytes": built.deployment.firmware.static_sram_bytes,
        "sram_high_water_bytes": built.measured.memory.sram_high_water_bytes,
        "stack_bytes": built.measured.memory.stack_used_bytes,
        "flash_bytes": built.deployment.firmware.flash_bytes,
        "instruction_set": context.lowering.instruction_set,
        "arena_limit_bytes": execution.lowering.arena_bytes,
        "unlinked": sorted(execution.lowering.unlinked),
        "patches": None if execution.patches is None else asdict(execution.patches),
        "streams": [asdict(plan) for plan in execution.streams],
        "kernels": kernels_json(kernels),
        "arena_bytes": built.deployment.plan.arena_bytes,
        "macs": count_macs(graph),
        "params": count_params(graph),
        "regions": [
            {
                "name": region.name,
                "kind": region.kind,
                "used_bytes": linked[region.name],
                "available_bytes": region.available_bytes,
            }
            for region in usage
        ],
    }


def _held_out_inputs(context: RunContext, contender: Contender, graph: Graph, count: int) -> Int8Array:
    data = context.data.resized(contender.architecture.input_shape[1])
    quantization = graph.tensor(graph.inputs[0]).quantization
    assert quantization is not None  # the graph was quantized, or read from a file that was
    return quantize_images(data.validation.images[:count], quantization)


def _predicted_layers(context: RunContext, built: BuiltNetwork) -> list[dict[str, Any]]:
    """Per layer: what the first latency model and the last one predicted, and what was measured."""
    first, last = (load_round_model(context, number) for number in (0, context.config.search.rounds))
    schedule = built.deployment.schedule
    rows = zip(schedule.steps, _values(first, built), _values(last, built), built.measured.steps, strict=True)
    return [
        {
            "name": step.name,
            "variant": step.variant,
            "macs": step.macs,
            "before": before,
            "after": after,
            "measured": ticks,
        }
        for step, before, after, ticks in rows
    ]


def _values(model: LatencyModel, built: BuiltNetwork) -> list[float | None]:
    return [step.value for step in model.predict(built.deployment.schedule).steps]
