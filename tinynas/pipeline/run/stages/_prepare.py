"""What comes before a search: data, board, space and plan, each finished once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from tinynas.memory import NativeMemoryModel
from tinynas.pipeline.costs import BlockSchedules, CostModel
from tinynas.pipeline.deployment import load_memory_model
from tinynas.pipeline.run import RunConfig, Steps, latency_limit
from tinynas.pipeline.run.stages._calibration import calibrate, device_clock_hz
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._feasibility import check_feasibility
from tinynas.pipeline.run.stages._plan import planned
from tinynas.pipeline.run.stages._space import choose_space, show_schedules
from tinynas.training import Dataset, load_dataset


def load_data(config: RunConfig) -> Dataset:
    """The data set of a run, with its held-out part.

    Raises:
        DatasetError: it is not there, or damaged.
    """
    return load_dataset(
        config.data.dataset,
        directory=None if config.data.directory is None else Path(config.data.directory),
        held_out=config.data.holdout,
        seed=config.seed,
    )


@dataclass(frozen=True)
class Prepared:
    """A run whose board is calibrated, whose space is chosen and whose steps are planned.

    Attributes:
        memory: what networks take of the board.
        costs: of networks, by the first latency model and under the limit.
        chosen: the space.
    """

    context: RunContext
    memory: NativeMemoryModel
    costs: CostModel
    chosen: ChosenSpace


def prepare(context: RunContext, plan: Steps | None = None) -> Prepared:
    """Run the stages before the search that are not finished."""
    # One thread here too, as in the training processes: what is computed does not depend on the number of processors.
    torch.set_num_threads(1)
    config, board = context.config, context.board
    memory = load_memory_model(board, config.measure.toolchain)
    limit = latency_limit(config.limits, board, context.quantity)
    costs = CostModel(
        board,
        memory,
        context.reserve,
        limit=limit,
        schedules=BlockSchedules(context.lowering),
        streams=config.engine.streams,
        stream_input=config.engine.stream_input,
        patches=config.engine.patches,
        unlinking=config.engine.leave_out_kernels,
    )
    configurations = check_feasibility(context, costs)
    costs = costs.with_latency(calibrate(context, memory))
    # Milliseconds of the clock that the device runs at, which only the device knows.
    limit = latency_limit(config.limits, board, context.quantity, clock_hz=device_clock_hz(context))
    costs = costs.with_limit(limit)
    if limit is not None:
        configurations = check_feasibility(context, costs, within_limit=True)
    chosen = choose_space(context, costs, configurations)
    show_schedules(context, costs, context.configurations())
    return Prepared(planned(context, chosen, costs, plan), memory, costs, chosen)
