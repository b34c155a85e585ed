"""A member of the front, finished like a winner when somebody asks for it: trained, quantized, built and measured."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas.engine import ModelInfo
from tinynas.graph import DType
from tinynas.pipeline.run import Figures, Member, MemberError, build_name
from tinynas.pipeline.run.stages._board_work import VerdictMismatch, execution_of
from tinynas.pipeline.run.stages._calibration import load_round_model
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import RunContext
from tinynas.pipeline.run.stages._evaluations import forget_trainings
from tinynas.pipeline.run.stages._execute import recipe_of_winner
from tinynas.pipeline.run.stages._method_training import train_method
from tinynas.pipeline.run.stages._networks import TrainedNetwork, finished_network, train_and_quantize
from tinynas.pipeline.run.stages._prepare import Prepared
from tinynas.pipeline.run.stages._search import Search
from tinynas.pipeline.run.stages._verification import BuildPlace, build_and_compare, kernels_to_build, model_info
from tinynas.spaces import Genotype
from tinynas.targets import Reserve


@dataclass(frozen=True)
class MemberNetwork:
    """What became of a member.

    Attributes:
        model: the int8 network, a file.
        float_model: the float network before quantization, a file.
        info: what the application engineer must know.
        built: how it is executed and what it takes, as `result.json` has it of a winner.
        held_out: int8 accuracy on held-out images.
    """

    model: Path
    float_model: Path
    info: ModelInfo
    built: Mapping[str, Any]
    held_out: float


def predict_member(prepared: Prepared, member: Member, flash_bytes: float | None = None) -> Figures:
    """What a member would take with the kernels that it would be built with.

    Args:
        prepared: a finished run.
        member: of its front.
        flash_bytes: what the firmware may take, kernels included; None: what the board has.
    """
    context, memory = prepared.context, prepared.memory
    reserve = _reserve(context, flash_bytes)
    graph = prepared.chosen.graph(member.genotype, DType.INT8)
    execution = execution_of(context, memory, prepared.chosen.architecture(member.genotype), graph)
    schedule = kernels_to_build(context, memory, execution, reserve).schedule
    return {
        "latency": load_round_model(context, context.config.search.rounds).predict(schedule).total,
        "macs": member.figures["macs"],
        "sram_bytes": memory.sram(schedule, reserve).static_bytes,
        "flash_bytes": memory.flash(schedule, reserve).total_bytes,
    }


def build_member(
    prepared: Prepared, member: Member, trained: Mapping[Genotype, str], flash_bytes: float | None = None
) -> MemberNetwork:
    """Train a member by the run's recipe, quantize it, build it and compare it with the reference; each once.

    The test images are not looked at.

    Args:
        prepared: a finished run.
        member: of its front.
        trained: keys of the networks that the run trained itself: those are not trained again.
        flash_bytes: what the firmware may take, kernels included; None: what the board has.

    Raises:
        MemberError: its training diverged, or it does not link in so much flash.
    """
    context = prepared.context
    contender = Contender(
        trained.get(member.genotype, build_name(member.number, None)),
        f"member {member.number} of the front",
        prepared.chosen.architecture(member.genotype),
        member.genotype,
        member.score,
        group="baselines" if member.genotype in trained else "front",
    )
    network = finished_network(context, contender) or _trained(prepared, contender)
    name = build_name(member.number, flash_bytes)
    place = BuildPlace(name, f"front/{name}", context.config.measure.images, _reserve(context, flash_bytes))
    built = _built(prepared, network, place)
    quantized = context.run.finished(f"quantize {contender.key}")
    assert quantized is not None  # or there would be no network
    held_out = quantized["held_out"]
    return MemberNetwork(
        context.run.file(contender.model_file),
        context.run.file(contender.float_file),
        model_info(contender.key, context.data),
        built,
        max(held_out["ptq"], held_out.get("qat", 0.0)),
    )


def _built(prepared: Prepared, network: TrainedNetwork, place: BuildPlace) -> dict[str, Any]:
    context = prepared.context
    try:
        return build_and_compare(context, prepared.memory, network, place)
    except VerdictMismatch as mismatch:
        # A prediction is right within a percent: a limit that the user set may lie within that.
        asked = place.reserve.flash_bytes > context.reserve.flash_bytes
        if not asked or mismatch.region != context.board.code_region.name:
            raise
        raise MemberError(f"{network.contender.label} does not link in so little flash") from mismatch


def _trained(prepared: Prepared, contender: Contender) -> TrainedNetwork:
    context, chosen = prepared.context, prepared.chosen
    search = Search(context, chosen, prepared.costs)
    train_method(context, search.method)
    with closing(search.method.evaluator()) as evaluator:
        network = train_and_quantize(context, recipe_of_winner(context, chosen, search, evaluator), contender)
    forget_trainings(context)
    if network is None:
        raise MemberError(f"the training of {contender.label} diverged")
    return network


def _reserve(context: RunContext, flash_bytes: float | None) -> Reserve:
    """What stays free: the run's reserve, and all flash that the firmware may not take."""
    reserve = context.reserve
    if flash_bytes is None:
        return reserve
    left = context.board.code_region.size_bytes - int(flash_bytes)
    return Reserve(sram_bytes=reserve.sram_bytes, flash_bytes=max(reserve.flash_bytes, left))
