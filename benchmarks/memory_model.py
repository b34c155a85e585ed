"""Predicted memory against the linker's and the device's, on networks drawn from a search space.

    python benchmarks/memory_model.py --board nucleo-f303k8 --space mobile-tiny --networks 20

Each network gets random weights, is built with the real toolchain, loaded onto the virtual board and run. The table
has the search's prediction beside what the linker placed and what the device measured.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynas.graph import DType
from tinynas.latency import with_random_constants
from tinynas.memory import NativeMemoryModel
from tinynas.pipeline import CostModel, deploy, measure, random_inputs
from tinynas.spaces import SearchSpace, build_graph, load_space
from tinynas.targets import Board, Reserve, load_board


def main() -> None:
    """Print the table; exit 1 if a static byte differs or a stack was under-predicted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--board", default="nucleo-f303k8")
    parser.add_argument("--space", default="mobile-tiny")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    board, space = load_board(arguments.board), load_space(arguments.space)
    table = Table(title=f"{board.name}: predicted / real, bytes (virtual board)")
    for column in ("network", "MACs", "static SRAM", "off", "stack", "over", "flash", "off", "outputs"):
        table.add_column(column, justify="right")
    wrong = 0
    for index, row in enumerate(_rows(board, space, arguments.networks, arguments.seed)):
        macs, sram, stack, flash, exact = row
        table.add_row(
            str(index),
            f"{macs:,}",
            f"{sram[0]:,} / {sram[1]:,}",
            f"{sram[0] - sram[1]:+d}",
            f"{stack[0]:,} / {stack[1]:,}",
            f"{stack[0] - stack[1]:+d}",
            f"{flash[0]:,} / {flash[1]:,}",
            f"{100 * (flash[0] / flash[1] - 1):+.3f} %",
            "equal" if exact else "DIFFER",
        )
        wrong += sram[0] != sram[1] or stack[0] < stack[1] or abs(flash[0] / flash[1] - 1) > 0.01 or not exact
    Console(width=140).print(table)
    print(f"{wrong} of {arguments.networks} networks off (static SRAM not exact, stack under, flash off by over 1 %)")
    raise SystemExit(1 if wrong else 0)


Pair = tuple[int, int]


def _rows(board: Board, space: SearchSpace, count: int, seed: int) -> list[tuple[int, Pair, Pair, Pair, bool]]:
    rng = np.random.default_rng(seed)
    costs = CostModel(board, NativeMemoryModel.for_board(board), Reserve())
    rows: list[tuple[int, Pair, Pair, Pair, bool]] = []
    for _ in range(100_000):
        if len(rows) == count:
            return rows
        width, resolution = rng.choice(space.width_multipliers), int(rng.choice(space.resolutions))
        architecture = space.decode(space.sample(rng), float(width), resolution, 1, 10)
        cost = costs.of(architecture)
        if cost.violations:
            continue
        graph = with_random_constants(build_graph(architecture, DType.INT8), seed=len(rows))
        with tempfile.TemporaryDirectory() as scratch:
            deployment = deploy(graph, board, Path(scratch))
            measured = measure(deployment, board, random_inputs(deployment.schedule, 1, seed=0))
        rows.append(
            (
                cost.macs,
                (cost.sram_bytes, deployment.firmware.static_sram_bytes),
                (cost.stack_bytes, measured.memory.stack_used_bytes),
                (cost.flash_bytes, deployment.firmware.flash_bytes),
                measured.mismatches == 0,
            )
        )
    raise SystemExit(f"fewer than {count} of 100,000 samples of {space.name} fit {board.name}")


if __name__ == "__main__":
    main()
