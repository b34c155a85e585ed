"""What counting cycles takes on the virtual board, over counting instructions alone.

    python benchmarks/cycle_counting.py MODEL.tflite ... [--board virt-m4] [--toolchain zig] [--runs 5]

Each model is built with the kernels that are chosen for the board; its inference is called on a bare core, once with
the timing of the core and once without. Seconds are processor time: of loading the image and its first inference, which
finds out what each block takes, and the least of the following ones. Only boards whose core has a timing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tinynas.boards import BareCore
from tinynas.formats import read_tflite
from tinynas.graph import simplified
from tinynas.pipeline import choose_for_board, deploy
from tinynas.targets import Board, Timing, load_board


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="int8 .tflite files")
    parser.add_argument("--board", default="virt-m4")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig")
    parser.add_argument("--runs", type=int, default=5, help="inferences, of which the fastest counts")
    options = parser.parse_args()
    board = load_board(options.board)
    if board.timing is None:
        parser.error(f"Arm publishes no timings of the {board.core.name} of {board.name}")
    table = Table(title=f"Seconds on {board.name}, without cycles and with them", box=box.MARKDOWN)
    table.add_column("network")
    for name in ("instructions", "cycles", "first", "with", "ratio", "following", "with", "ratio", "MIPS"):
        table.add_column(name, justify="right")
    for path in options.models:
        with tempfile.TemporaryDirectory() as scratch:
            elf = _build(path, board, options.toolchain, Path(scratch))
            plain = _measure(board, elf, None, options.runs)
            timed = _measure(board, elf, board.timing, options.runs)
        table.add_row(
            *(path.stem, f"{timed.instructions:,}", f"{timed.cycles:,}"),
            *(f"{plain.first:.3f}", f"{timed.first:.3f}", f"{timed.first / plain.first:.2f}"),
            *(f"{plain.following:.4f}", f"{timed.following:.4f}", f"{timed.following / plain.following:.2f}"),
            f"{timed.instructions / timed.following / 1e6:.0f}",
        )
    Console(width=160, highlight=False).print(table)


@dataclass(frozen=True)
class _Measured:
    """Seconds of the first inference, with loading, and of the fastest following one; what it took on the core."""

    first: float
    following: float
    instructions: int
    cycles: int | None


def _measure(board: Board, elf: Path, timing: Timing | None, runs: int) -> _Measured:
    regions = sorted(board.regions, key=lambda region: region.name != board.layout.code)
    begun = time.process_time()
    core = BareCore(board.core, elf, regions, stack=board.layout.stack, timing=timing)
    report = core.call("model_invoke")
    first = time.process_time() - begun
    return _Measured(first, min(_seconds(core) for _ in range(runs)), report.instructions, report.cycles)


def _seconds(core: BareCore) -> float:
    begun = time.process_time()
    core.call("model_invoke")
    return time.process_time() - begun


def _build(path: Path, board: Board, toolchain: str, directory: Path) -> Path:
    graph = simplified(read_tflite(path.read_bytes()))
    schedule = choose_for_board(graph, board, toolchain).schedule
    return deploy(graph, board, directory, toolchain=toolchain, schedule=schedule).firmware.elf


if __name__ == "__main__":
    main()
