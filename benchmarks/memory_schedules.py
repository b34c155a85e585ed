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

from tinynas.formats import read_tflite
from tinynas.graph import Activation, DType, Graph, GraphBuilder
from tinynas.lowering import lower
from tinynas.memory import best_patch_plan, plan_arena, reorder
from tinynas.memory.tflm import offline_plan
from tinynas.spaces import build_graph, mobilenet_v2_architecture

# mcunet-vww1 (Lin et al. 2020, "MCUNet"; the network of TinyEngine's vision demo), by
# the shapes of its layers: expanded channels, kernel, stride, output channels of each inverted bottleneck.
_VWW1_BLOCKS = (
    *((48, 3, 2, 16), (48, 3, 1, 16), (48, 3, 1, 16)),
    *((48, 7, 2, 24), (144, 3, 1, 24), (120, 5, 1, 24)),
    *((144, 7, 2, 40), (240, 7, 1, 40), (240, 3, 1, 48), (192, 3, 1, 48)),
    *((240, 5, 2, 96), (480, 3, 1, 96), (384, 3, 1, 96), (288, 7, 1, 160)),
)
# What TinyEngine reports for it: plain, and with patches.
TINYENGINE_VWW1_BYTES = (93_992, 62_352)


def mcunet_vww1() -> Graph:
    """An int8 skeleton of mcunet-vww1 at 80 x 80 x 3."""
    b = GraphBuilder("mcunet-vww1", DType.INT8)
    relu6 = Activation.RELU6
    x = b.conv_2d(b.input((1, 80, 80, 3)), 16, 3, stride=2, activation=relu6, name="stem")
    x = b.depthwise_conv_2d(x, 3, activation=relu6, name="stem.depthwise")
    x = b.conv_2d(x, 8, 1, name="stem.project")
    for i, (expanded, kernel, stride, out) in enumerate(_VWW1_BLOCKS):
        y = b.conv_2d(x, expanded, 1, activation=relu6, name=f"block{i}.expand")
        y = b.depthwise_conv_2d(y, kernel, stride=stride, activation=relu6, name=f"block{i}.depthwise")
        y = b.conv_2d(y, out, 1, name=f"block{i}.project")
        x = b.add(x, y, name=f"block{i}.add") if b.shape(x) == b.shape(y) else y
    x = b.average_pool_2d(x, 3, name="pool")
    return b.build([b.conv_2d(x, 2, 1, name="classifier")])


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
