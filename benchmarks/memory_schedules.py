"""The arena of known networks: plain, in place, in patches, reordered, row by row, and under TFLM.

    python benchmarks/memory_schedules.py [MODEL.tflite ...]

Prints two tables in Markdown, and what others publish. Bytes are those of the arena, input and output included; "alive"
is the most that is alive at once, below which no plan can go. Row by row is the smallest arena there is, whatever it
costs in instructions (`streamed_schedules.py` says what), with the MACs of the network as a whole. Beside it are the
bound of `stream_bounds.py` and the kernel with the most scratch; the arena is given as a part of 1.05 times the bound
and that scratch together. Kernels are those for cores with DSP instructions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from known_networks import PEERS, further_networks, mcunet_vww1, mobilenet_v2_r144, read_models
from stream_bounds import bounds_of

from tinynas.graph import Graph
from tinynas.lowering import DSP_LOWERING, Schedule, lower
from tinynas.memory import StreamChoice, best_patch_plan, cells_of, plan_arena, reorder, stream_choices
from tinynas.memory.tflm import offline_plan

_SLACK = 1.05
_PLAIN = ("network", "TFLM head", "offline plan", "plain", "in place", "alive", "reordered", "patches")
_BY_ROWS = ("arena", "bound", "largest scratch", "of 1.05 x bound + scratch", "MACs")


def plain_row(graph: Graph) -> tuple[str, ...]:
    """A network as a whole and in patches."""
    plain = lower(graph, in_place=False)
    in_place = lower(graph)
    plan = plan_arena(in_place)
    patches = best_patch_plan(graph)
    patched = "none pays"
    if patches is not None:
        schedule = lower(graph, patches)
        patched = (
            f"{plan_arena(schedule).arena_bytes:,} ({patches.layers} layers in {patches.patches}, "
            f"+{100 * (schedule.macs / in_place.macs - 1):.1f} % MACs)"
        )
    head = offline_plan(graph)
    return (
        graph.name,
        f"{head.online_head_bytes:,}",
        f"{head.head_bytes:,}",
        f"{plan_arena(plain).arena_bytes:,}",
        f"{plan.arena_bytes:,}",
        f"{plan.lower_bound_bytes:,}",
        f"{plan_arena(lower(reorder(graph))).arena_bytes:,}",
        patched,
    )


def by_rows_row(graph: Graph) -> tuple[str, ...]:
    """A network in the smallest arena row by row, with its input held and with its input by rows."""
    cells, bounds = cells_of(DSP_LOWERING(graph), DSP_LOWERING), bounds_of(graph)
    held = _smallest(graph, stream_choices(cells), bounds.over)
    return graph.name, *held, *_smallest(graph, stream_choices(cells, pushed=True), bounds.pushed)


def _smallest(graph: Graph, choices: Sequence[StreamChoice], bound: int | None) -> tuple[str, ...]:
    if not choices or bound is None:
        return ("-",) * len(_BY_ROWS)
    schedule = lower(graph, streams=choices[0].streams)
    arena = plan_arena(schedule).arena_bytes
    kernel, scratch = largest_scratch(schedule)
    part = arena / (_SLACK * bound + scratch)
    return (
        f"{arena:,}",
        f"{bound:,}",
        f"{scratch:,} (`{kernel}`)",
        f"{part:.3f}, {'within' if part <= 1 else 'above'}",
        f"{schedule.macs / lower(graph).macs:.2f}",
    )


def largest_scratch(schedule: Schedule) -> tuple[str, int]:
    """The kernel of a schedule that takes the most scratch, and how many bytes; a segment's windows are none."""
    step = max((part for part in schedule.parts if part.stream is None), key=lambda part: part.scratch_bytes)
    return step.variant, step.scratch_bytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="int8 .tflite files to add")
    options = parser.parse_args(arguments)
    graphs = [mcunet_vww1(), mobilenet_v2_r144(), *further_networks(), *read_models(options.models)]
    by_rows = ("network", *_BY_ROWS, *(f"{column}, input by rows" for column in _BY_ROWS))
    for columns, row in ((_PLAIN, plain_row), (by_rows, by_rows_row)):
        sys.stdout.write(f"{_line(columns)}|{'---|' * len(columns)}\n")
        for graph in graphs:
            sys.stdout.write(_line(row(graph)))
            sys.stdout.flush()
        sys.stdout.write("\n")
    sys.stdout.write(PEERS)
    return 0


def _line(columns: Sequence[str]) -> str:
    return f"| {' | '.join(columns)} |\n"


if __name__ == "__main__":
    sys.exit(main())
