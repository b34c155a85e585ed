"""Known networks row by row: arena against predicted ticks, beside TinyEngine's patches and msf-CNN.

    python benchmarks/streamed_schedules.py [MODEL.tflite ...] [--core cortex-m4f] [--toolchain zig] [--measure]

Prints a table in Markdown, a row for each network and goal: half of the arena, the smallest arena within 25 % more
ticks, and the smallest there is; each with the network's input as a whole, which the output may grow into, and with its
input pushed row by row. Where it is faster within the same bytes, the first layers run in patches, and the row says so.
MACs are those of the network in every row. Ticks are what decides on the core's virtual board, cycles by its timing or
else instructions; they are predicted by its latency model, and those of the network as a whole with the kernels of
shapes alone are 1.00. Scratch is what the largest segment has beside rows: the state of its layers, and its kernels'
own. Moves are the part of the ticks that moves the rows of full windows to their beginnings, by the same model: windows
that are rings could save no more than that, and what they would cost is not in it. With --measure, what the virtual
board counts stands beside what was predicted, and the arena that the linker saw; it takes a minute for each network.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from known_networks import PEERS, mcunet_vww1, mobilenet_v2_r144, read_models

from tinynas.graph import Graph
from tinynas.kernels.streaming import ROUND_BYTES
from tinynas.latency import (
    LatencyModel,
    deciding_quantity,
    latency_model_path,
    load_latency_model,
    with_random_constants,
)
from tinynas.lowering import Lowering, Schedule, Step, copies
from tinynas.memory import Cell, StreamChoice, cells_of, patched_stages, plan_arena, stream_choices
from tinynas.pipeline.deployment import deploy, measure, random_inputs
from tinynas.targets import CORES, Board, load_board, reference_boards

MOST_TICKS = 1.25


@dataclass(frozen=True)
class Setting:
    """What decides, and whether it is measured."""

    board: Board
    lowering: Lowering
    latency: LatencyModel
    toolchain: str
    measured: bool


def rows(graph: Graph, setting: Setting) -> Iterator[str]:
    """The rows of one network."""
    plain = setting.lowering(graph)
    arena = plan_arena(plain).arena_bytes
    cells = cells_of(plain, setting.lowering)
    base = _ticks(plain, setting.latency)
    yield _row(graph, "as a whole", "", plain, base, setting)
    for pushed in (False, True):
        choices = stream_choices(cells, setting.latency.kernel_ticks, pushed=pushed)
        for goal, choice in _goals(choices, arena, base):
            found = choice if pushed else _or_in_patches(choice, plain, cells, setting)
            schedule = setting.lowering(graph, found.patches, found.streams)
            how = ", input by rows" if pushed else "" if found.patches is None else ", first layers in patches"
            yield _row(graph, goal, how, schedule, base, setting)


def _or_in_patches(choice: StreamChoice, plain: Schedule, cells: Sequence[Cell], setting: Setting) -> StreamChoice:
    """The choice, or a faster one of no more bytes whose first layers run in patches."""
    ticks = setting.latency.kernel_ticks
    stages = patched_stages(plain, cells, setting.lowering, choice.arena_bytes, (ticks, choice.ticks))
    return stream_choices(cells, ticks, most_bytes=choice.arena_bytes, stages=list(stages))[-1]


def _goals(choices: Sequence[StreamChoice], arena: int, base: float) -> Iterator[tuple[str, StreamChoice]]:
    streamed = [choice for choice in choices if choice.streams]
    if not streamed:
        return
    half = [choice for choice in streamed if choice.arena_bytes <= arena // 2]
    if half:
        yield "half", half[-1]
    fast = [choice for choice in streamed if choice.ticks <= MOST_TICKS * base]
    if fast and fast[0] is not streamed[0]:
        yield "smallest within 25 %", fast[0]
    yield "smallest", streamed[0]


def _row(graph: Graph, goal: str, how: str, schedule: Schedule, base: float, setting: Setting) -> str:
    plan, predicted = plan_arena(schedule), _ticks(schedule, setting.latency)
    beside = [s.scratch_bytes - s.stream.states_offset for s in schedule.steps if s.stream is not None]
    columns = [
        graph.name,
        goal + how,
        f"{plan.arena_bytes:,}",
        f"{max(beside, default=0):,}",
        str(len(beside)),
        f"{schedule.macs / sum(s.macs for s in setting.lowering(graph).steps):.2f}",
        f"{predicted / base:.3f}",
        f"{100 * moves_ticks(schedule, setting.latency) / predicted:.2f} %",
    ]
    if setting.measured:
        columns += _measured(schedule, predicted, setting)
    return f"| {' | '.join(columns)} |"


def _measured(schedule: Schedule, predicted: float, setting: Setting) -> list[str]:
    """Counted ticks, the error of the prediction, and outputs that differ from the reference."""
    with tempfile.TemporaryDirectory() as folder:
        deployment = deploy(schedule.graph, setting.board, Path(folder), toolchain=setting.toolchain, schedule=schedule)
        result = measure(deployment, setting.board, random_inputs(schedule, 2, seed=0))
    steps = float(sum(result.steps))
    return [f"{result.ticks:,}", f"{100 * (predicted / steps - 1):+.2f} %", str(result.mismatches)]


def moves_ticks(schedule: Schedule, latency: LatencyModel) -> float:
    """What moving the rows of windows to their beginnings takes: no ring buffer could save more."""
    return sum(_moves_of(schedule, step, latency) for step in schedule.steps if step.stream is not None)


def _moves_of(schedule: Schedule, step: Step, latency: LatencyModel) -> float:
    unmoved = {**step.features, "slides": 0.0}
    kept = _copied_input(schedule, step)
    for loop in ("slide_rounds", "slide_words", "slide_bytes"):
        unmoved[loop] = kept.get(loop, 0.0)
    ticks = [latency.kernel_ticks(step.variant, features) for features in (step.features, unmoved)]
    assert None not in ticks, "the latency model does not know the loops of segments"
    return (ticks[0] or 0.0) - (ticks[1] or 0.0)


def _copied_input(schedule: Schedule, step: Step) -> dict[str, float]:
    """Of the same loops, those that copy the rows of an input that comes row by row."""
    assert step.stream is not None
    if step.stream.input_window_rows is None:
        return {}
    _, height, width, channels = schedule.graph.tensors[step.inputs[0]].shape
    return copies(height, width * channels, ROUND_BYTES).loops


def _ticks(schedule: Schedule, latency: LatencyModel) -> float:
    values = [step.value for step in latency.predict(schedule).steps]
    assert all(value is not None for value in values), "the latency model does not know all of these kernels"
    return sum(value for value in values if value is not None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="int8 .tflite files to add")
    parser.add_argument("--core", choices=sorted(reference_boards()), default="cortex-m4f")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig")
    parser.add_argument("--measure", action="store_true", help="run each schedule on the virtual board")
    options = parser.parse_args(arguments)
    board = load_board(reference_boards()[options.core])
    quantity = deciding_quantity(board)
    latency = load_latency_model(latency_model_path(options.core, options.toolchain)).counting(quantity)
    assert latency is not None, "no model that ships lacks what decides on its core"
    setting = Setting(
        board,
        Lowering.for_core(CORES[options.core]),
        latency,
        options.toolchain,
        options.measure,
    )
    graphs = [mcunet_vww1(), mobilenet_v2_r144(), *read_models(options.models)]
    if options.measure:
        graphs = [graph if _has_constants(graph) else with_random_constants(graph, seed=0) for graph in graphs]
    columns = ["network", "goal", "arena", "scratch", "segments", "MACs", quantity.unit, "moves"]
    columns += ["counted", "predicted", "wrong outputs"] if options.measure else []
    sys.stdout.write(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n")
    for graph in graphs:
        for line in rows(graph, setting):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    sys.stdout.write("\n" + PEERS)
    return 0


def _has_constants(graph: Graph) -> bool:
    return all(t.data is not None for t in graph.tensors if t.constant)


if __name__ == "__main__":
    sys.exit(main())
