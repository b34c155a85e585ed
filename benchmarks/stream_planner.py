"""How long it takes to find what to run row by row.

    python benchmarks/stream_planner.py [MODEL.tflite ...] [--core cortex-m4f] [--toolchain zig]

Prints a table in Markdown, in milliseconds of processor time, with nothing remembered of earlier plans: "cells" is
`cells_of` of the plain schedule, "choices" is `stream_choices` with the latency model of the core, and "stages" is what
`patched_stages` takes beside them for half of the arena: the first layers in patches that could be faster.
"""

from __future__ import annotations

import argparse
import functools
import gc
import time
from collections.abc import Sequence
from pathlib import Path

from known_networks import mcunet_vww1

from tinynas.formats import read_tflite
from tinynas.graph import DType, Graph, simplified
from tinynas.latency import latency_model_path, load_latency_model
from tinynas.lowering import Lowering
from tinynas.memory import KernelTicks, cells_of, patched_stages, plan_arena, stream_choices
from tinynas.spaces import build_graph, mobilenet_v2_architecture
from tinynas.targets import CORES

MILLISECONDS = 1000.0
REPETITIONS = 5
"""Of which the fastest counts: other work on the machine shares its caches."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--core", choices=sorted(CORES), default="cortex-m4f")
    parser.add_argument("--toolchain", default="zig")
    options = parser.parse_args(arguments)
    lowering = Lowering.for_core(CORES[options.core])
    ticks = load_latency_model(latency_model_path(options.core, options.toolchain)).kernel_ticks
    networks: list[tuple[str, Graph]] = [
        ("mcunet-vww1", mcunet_vww1()),
        ("MobileNetV2-0.35, 144 x 144", build_graph(mobilenet_v2_architecture(0.35, 144), DType.INT8)),
        *((path.stem, simplified(read_tflite(path))) for path in options.models),
    ]
    print("| network | steps | cells, ms | choices, ms | total, ms | stages, ms |")
    print("|---|---|---|---|---|---|")
    for name, graph in networks:
        steps = len(lowering(graph).steps)
        cells, choices = min((_times(graph, lowering, ticks) for _ in range(REPETITIONS)), key=sum)
        stages = min(_stages_time(graph, lowering, ticks) for _ in range(REPETITIONS))
        print(f"| {name} | {steps} | {cells:.0f} | {choices:.0f} | {cells + choices:.0f} | {stages:.0f} |", flush=True)


def _times(graph: Graph, lowering: Lowering, ticks: KernelTicks) -> tuple[float, float]:
    """Milliseconds for the cells and for the choices, with nothing remembered."""
    schedule = lowering(graph)
    _forget()
    start = time.process_time()
    cells = cells_of(schedule, lowering)
    middle = time.process_time()
    stream_choices(cells, ticks)
    return MILLISECONDS * (middle - start), MILLISECONDS * (time.process_time() - middle)


def _stages_time(graph: Graph, lowering: Lowering, ticks: KernelTicks) -> float:
    """Milliseconds for the first layers in patches, where half of the arena is given."""
    schedule = lowering(graph)
    limit = plan_arena(schedule).arena_bytes // 2
    cells = cells_of(schedule, lowering)
    choices = stream_choices(cells, ticks, most_bytes=limit)
    rival = (ticks, choices[-1].ticks) if choices else None
    _forget()
    start = time.process_time()
    list(patched_stages(schedule, cells, lowering, limit, rival))
    return MILLISECONDS * (time.process_time() - start)


def _forget() -> None:
    """Empty what functions of this project remember between calls."""
    for remembered in gc.get_objects():
        if type(remembered) is functools._lru_cache_wrapper and remembered.__module__.startswith("tinynas."):
            remembered.cache_clear()


if __name__ == "__main__":
    main()
