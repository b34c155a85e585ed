"""Where streamed segments may begin and end."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.lowering._rows import no_streamed_rows
from tinynas.lowering._schedule import Schedule, Step
from tinynas.lowering._storage import root_of
from tinynas.lowering._sums import may_sum, summed_image

_Images = Sequence[int | None]
"""By step, the image of which it adds rows to sums."""


def stream_cuts(schedule: Schedule) -> tuple[tuple[int, ...], ...]:
    """The positions between which a network may run row by row.

    Args:
        schedule: The plain schedule of the network, without patches and streamed segments.

    Returns:
        For each stretch of layers that work row by row, the steps before which only one tensor is alive, and the one
        behind the last: from any of them to any later one of the same stretch, a segment may run
        (`StreamPlan.first`, `StreamPlan.end`).
    """
    alias = aliases(schedule)
    alive = _alive_before(schedule, alias)
    images = summed_images(schedule)
    stretches: list[list[int]] = []
    current: list[int] = []
    for position in range(len(schedule.steps) + 1):
        if alive[position] == 1:
            current.append(position)
            if _separates(schedule, position, images, alias):
                stretches.append(current)
                current = [position]
        if position < len(schedule.steps) and _by_rows(schedule, schedule.steps[position], images, current, alias):
            continue
        stretches.append(current)
        current = []
    return tuple(tuple(stretch) for stretch in stretches if len(stretch) > 1)


def summed_images(schedule: Schedule) -> tuple[int | None, ...]:
    """By step, the image of which it adds rows to sums where it is the last one of a segment; None for any other.

    Args:
        schedule: The plain schedule of the network.
    """
    alias = aliases(schedule)
    return tuple(_summed(schedule, step, alias) for step in schedule.steps)


def streamed_shape(schedule: Schedule, position: int) -> tuple[int, int]:
    """Rows and columns of what a step writes row by row; if it adds rows to sums, of what it reads.

    One of each where that is no image.

    Args:
        schedule: The plain schedule of the network.
        position: Of the step.
    """
    step = schedule.steps[position]
    image = _summed(schedule, step, aliases(schedule))
    shape = schedule.graph.tensors[step.output if image is None else image].shape
    return (shape[1], shape[2]) if len(shape) == 4 else (1, 1)


def aliases(schedule: Schedule) -> dict[int, int]:
    """Outputs of RESHAPE -> their inputs."""
    made = {step.output for step in schedule.steps} | set(schedule.inputs)
    alias: dict[int, int] = {}
    for op in schedule.graph.ops:
        output = op.outputs[0]
        if output not in made and output in schedule.buffer_of and op.inputs[0] in schedule.buffer_of:
            alias[output] = op.inputs[0]
    return alias


def _alive_before(schedule: Schedule, alias: dict[int, int]) -> list[int]:
    """How many tensors are alive before each step, and behind the last."""
    last: dict[int, int] = {}
    for step in schedule.steps:
        last |= dict.fromkeys((root_of(alias, t) for t in step.inputs), step.index)
    last |= dict.fromkeys((root_of(alias, t) for t in schedule.outputs), len(schedule.steps))
    alive = {root_of(alias, t) for t in schedule.inputs}
    counts = [len(alive)]
    for step in schedule.steps:
        alive.add(root_of(alias, step.output))
        alive = {t for t in alive if last.get(t, -1) > step.index}
        counts.append(len(alive))
    return counts


def _separates(schedule: Schedule, position: int, images: _Images, alias: dict[int, int]) -> bool:
    """Whether no segment runs across a place: a layer before it ends one, or the one behind it begins one."""
    if position == len(schedule.steps):
        return False
    if position > 0 and images[position - 1] is not None:
        return True
    return _reshaped(schedule.steps[position], images[position], alias)


def _by_rows(schedule: Schedule, step: Step, images: _Images, begun: list[int], alias: dict[int, int]) -> bool:
    """Whether a step may be part of a segment, where the stretch before it has begun at some cut."""
    if not begun or step.band is not None:
        return False
    op, image = schedule.graph.ops[step.ops[-1]], images[step.index]
    if image is None and no_streamed_rows(schedule.graph, op, step.inputs, step.output):
        return False
    return not _reshaped(step, image, alias) or begun == [step.index]


def _summed(schedule: Schedule, step: Step, alias: dict[int, int]) -> int | None:
    """The image of which a step adds rows to sums where it is the last one of a segment: then it is always that."""
    if not may_sum(schedule.graph.ops[step.ops[-1]]):
        return None
    return summed_image(schedule.call(step), step.inputs, alias)


def _reshaped(step: Step, image: int | None, alias: dict[int, int]) -> bool:
    """Whether a step reads rows through a RESHAPE: it may begin a segment, and lies in none that began earlier."""
    return any(t in alias for t in (step.inputs if image is None else (image,)))
