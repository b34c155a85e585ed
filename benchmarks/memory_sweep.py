"""Predicted memory against the linker's and the device's, on every core and under every kind of schedule.

    python benchmarks/memory_sweep.py --networks 100

Random networks, every other one drawn from a search space and the others of all operators, get random weights and are
built for reference boards of four cores with nothing in place, in place, with their first layers in patches, with all
parts row by row that can run so, with the input by rows as well, and with segments behind the layers in patches. Each
runs on the virtual board. A row has what was predicted less what the linker placed and the device measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynas.graph import DType, Graph
from tinynas.latency import NetworkLimits, random_network, random_streams, with_random_constants
from tinynas.lowering import Lowering, PatchError, PatchPlan, Schedule, StreamError, StreamPlan
from tinynas.memory import MOST_STEPS, NativeMemoryModel
from tinynas.pipeline import deploy, measure, random_inputs
from tinynas.spaces import build_graph, load_space
from tinynas.targets import Board, load_board

BOARDS = ("virt-m0plus", "virt-m4", "virt-m7", "virt-m33")
SCHEDULES = ("plain", "in place", "patches", "row by row", "input by rows", "patches, row by row")
LIMITS = NetworkLimits(activation_bytes=12_000, weight_bytes=3000, layers=12, macs=300_000)
MOST_LAYERS = 10


@dataclass(frozen=True)
class Difference:
    """Predicted less real, in bytes; flash as a fraction of the image. `exact`: outputs equal the reference's."""

    sram: int
    stack: int
    flash_bytes: int
    flash: float
    exact: bool

    @property
    def acceptable(self) -> bool:
        return self.sram == 0 and 0 <= self.stack <= 128 and abs(self.flash) <= 0.005 and self.exact


def main() -> None:
    """Print the table; exit 1 if a network is outside what is promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", type=int, default=25, help="for each board and kind of schedule")
    parser.add_argument("--boards", nargs="+", default=BOARDS)
    parser.add_argument("--toolchain", default="zig")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    console = Console(width=120)
    table = Table(title=f"predicted less real, {arguments.networks} networks a row, {arguments.toolchain}")
    for column in ("board", "schedule", "static SRAM", "stack", "flash, bytes", "flash, %", "outputs", "outside"):
        table.add_column(column, justify="left" if column in {"board", "schedule"} else "right")
    wrong = 0
    for name in arguments.boards:
        board = load_board(name)
        for kind in SCHEDULES:
            rows = list(_differences(board, kind, arguments.networks, arguments.seed, arguments.toolchain))
            outside = sum(not row.acceptable for row in rows)
            wrong += outside
            table.add_row(
                name,
                kind,
                _span([row.sram for row in rows]),
                _span([row.stack for row in rows]),
                _span([row.flash_bytes for row in rows]),
                f"{100 * max(abs(row.flash) for row in rows):.3f}",
                "equal" if all(row.exact for row in rows) else "DIFFER",
                str(outside),
            )
            console.print(f"{name}, {kind}: {len(rows)} networks, {outside} outside", style="dim")
    console.print(table)
    console.print(f"{wrong} outside: static SRAM exact, stack 0 to 128 over, flash within 0.5 %, outputs equal")
    raise SystemExit(1 if wrong else 0)


def _span(values: list[int]) -> str:
    return f"{min(values):+d} to {max(values):+d}" if min(values) != max(values) else f"{values[0]:+d}"


def _differences(board: Board, kind: str, count: int, seed: int, toolchain: str) -> Iterator[Difference]:
    memory = NativeMemoryModel.for_board(board, toolchain)
    lowering = Lowering.for_core(board.core, in_place=kind != "plain")
    found = 0
    for index in range(100 * count):
        if found == count:
            return
        graph = _network(seed * 1_000_003 + index)
        schedule = _scheduled(lowering, graph, kind, index)
        if schedule is None:
            continue
        found += 1
        with tempfile.TemporaryDirectory() as scratch:
            deployment = deploy(graph, board, Path(scratch), toolchain=toolchain, schedule=schedule)
            measured = measure(deployment, board, random_inputs(deployment.schedule, 1, seed=index))
        sram, flash = memory.sram(deployment.schedule), memory.flash(deployment.schedule).total_bytes
        off = [sram.static_bytes - deployment.firmware.static_sram_bytes]
        off += [r.used_bytes - deployment.firmware.region_usage[r.name] for r in sram.regions]
        off += [sram.static_bytes - measured.memory.static_sram_bytes]
        off += [sram.arena_bytes - deployment.plan.arena_bytes]
        yield Difference(
            max(off, key=abs),
            sram.stack_bytes - measured.memory.stack_used_bytes,
            flash - deployment.firmware.flash_bytes,
            flash / deployment.firmware.flash_bytes - 1,
            measured.mismatches == 0,
        )
    raise SystemExit(f"fewer than {count} of {100 * count} networks can run so: {kind}")


def _network(seed: int) -> Graph:
    """A random network: of the space `mobile-tiny` if the seed is even, of any operators otherwise."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return with_random_constants(random_network(seed, LIMITS), seed)
    space = load_space("mobile-tiny")
    width, resolution = float(rng.choice(space.width_multipliers)), int(rng.integers(12, 29))
    architecture = space.decode(space.sample(rng), width, resolution, int(rng.choice([1, 3])), 10)
    return with_random_constants(build_graph(architecture, DType.INT8), seed)


def _scheduled(lowering: Lowering, graph: Graph, kind: str, seed: int) -> Schedule | None:
    """The network as a kind of schedule; None where it cannot run so."""
    patches = _patches(lowering, graph, np.random.default_rng(seed)) if kind.startswith("patches") else None
    if kind.startswith("patches") and patches is None:
        return None
    streams: tuple[StreamPlan, ...] = ()
    if kind.endswith("by rows") or kind.endswith("row by row"):
        streams = random_streams(lowering(graph), seed, pushed=kind == "input by rows")
        streams = tuple(plan for plan in streams if patches is None or plan.first >= patches.layers)
        if not streams:
            return None
    try:
        return lowering(graph, patches, streams)
    except StreamError:  # windows that see nothing but padding
        return None


def _patches(lowering: Lowering, graph: Graph, rng: np.random.Generator) -> PatchPlan | None:
    """Patches of as many first layers as can run in them, from a random number of layers down; None where none can."""
    patches = int(rng.choice((2, 3, 4, 6, 8)))
    for layers in range(int(rng.integers(2, MOST_LAYERS + 1)), 0, -1):
        try:
            schedule = lowering(graph, PatchPlan(layers, patches))
        except PatchError:
            continue
        return PatchPlan(layers, patches) if len(schedule.steps) <= MOST_STEPS else None
    return None


if __name__ == "__main__":
    main()
