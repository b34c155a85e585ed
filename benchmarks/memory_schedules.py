"""The arena of known networks: plain, in place, in patches, reordered, and under TFLM.

    python benchmarks/memory_schedules.py [MODEL.tflite ...]

Prints a table in Markdown. Bytes are those of the arena, input and output included; "alive" is the most that is alive
at once, below which no plan can go.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from known_networks import mcunet_vww1

from tinynas.formats import read_tflite
from tinynas.graph import DType, Graph
from tinynas.lowering import lower
from tinynas.memory import best_patch_plan, plan_arena, reorder
from tinynas.memory.tflm import offline_plan
from tinynas.spaces import build_graph, mobilenet_v2_architecture

# What TinyEngine reports for it: plain, and with patches.
TINYENGINE_VWW1_BYTES = (93_992, 62_352)


def row(graph: Graph) -> str:
    """One row of the table."""
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
    columns = (
        graph.name,
        f"{head.online_head_bytes:,}",
        f"{head.head_bytes:,}",
        f"{plan_arena(plain).arena_bytes:,}",
        f"{plan.arena_bytes:,}",
        f"{plan.lower_bound_bytes:,}",
        f"{plan_arena(lower(reorder(graph))).arena_bytes:,}",
        patched,
    )
    return f"| {' | '.join(columns)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="int8 .tflite files to add")
    options = parser.parse_args(arguments)
    graphs = [
        mcunet_vww1(),
        build_graph(mobilenet_v2_architecture(0.35, 144), DType.INT8),
        build_graph(mobilenet_v2_architecture(0.5, 96), DType.INT8),
        *(read_tflite(path) for path in options.models),
    ]
    sys.stdout.write("| network | TFLM head | offline plan | plain | in place | alive | reordered | patches |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|---|\n")
    for graph in graphs:
        sys.stdout.write(row(graph) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
