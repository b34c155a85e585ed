"""Networks and layers with our engine and with its peers: instructions, modelled cycles, bits, flash and arena.

    python benchmarks/engine.py [MODEL.tflite ...] [--models DIR] [--against MORE ...] [--board virt-m4] [--json FILE]

Without models, all .tflite files of DIR: there are figures of peers for kws_ref_model and pretrainedResnet_quant (of
MLPerf Tiny) and person_detect (of TensorFlow Lite Micro). --against adds further files to either. A folder stands for
its .tflite files; more_networks.py fills one.

Each is built with every toolchain that is installed, once with the kernels that the local rule of lowering takes by
shape and once with those chosen for the board, which spend flash for speed. It runs on the virtual board, and is
compared twice: the output of the firmware for 10 random inputs, and on the same core every tensor of every step, each
in memory of its own, with the access checks of random_layers.py. The reference executor itself is compared with
LiteRT's reference kernels in every tensor. A second table has a sweep of layers. Peers' figures and their source are in
peer_figures.py; where there is none for a network, CMSIS-NN's is added up by layer and marked "estimated".
Cycles are those of the core's timing: its manual's, with zero wait states, a model. Cortex-M7 and M33 have none. CPI:
cycles per instruction.
Exit code 1: something is not bit-exact, or touches memory that is not its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path

from engine_rows import LayerRow, NetworkRow, measure_layers, measure_network
from peer_figures import CODE_TARGET_BYTES, CYCLES_SOURCE, SOURCE
from rich import box
from rich.console import Console
from rich.table import Table

from tinynas.targets import Board, Timing, load_board

_FOLDERS = (Path("models"), Path(__file__).resolve().parents[2] / "shared" / "models")
"""Where models are looked for, the first that exists; otherwise --models names a folder."""

_OF_NETWORKS = ("ratio", "cycles_ratio", "cycles_per_instruction", "cycles_per_mac", "correct")
_OF_LAYERS = ("per_mac", "ratio", "cycles_per_instruction", "cycles_per_mac")


def main() -> None:
    """Print both tables; exit 1 if anything is wrong in any bit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", type=Path, help="int8 .tflite files, or folders of them; default: those of --models"
    )
    parser.add_argument("--models", dest="folder", type=Path, metavar="DIR", help="a folder of int8 .tflite files")
    parser.add_argument("--against", nargs="+", type=Path, default=[], metavar="MORE", help="further files or folders")
    parser.add_argument("--board", default="virt-m4", help="virt-m4, virt-m7, virt-m33, virt-m0plus or any other")
    parser.add_argument("--toolchain", action="append", choices=("zig", "gcc"), help="default: all installed")
    parser.add_argument("--inputs", type=int, default=10, help="random inputs per network")
    parser.add_argument("--no-sweep", action="store_true", help="networks only")
    parser.add_argument("--no-networks", action="store_true", help="the sweep of layers only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything as JSON; - for stdout")
    options = parser.parse_args()
    folder: Path = options.folder or next((path for path in _FOLDERS if path.is_dir()), _FOLDERS[0])
    models = [path for named in (*(options.models or [folder]), *options.against) for path in _files(named)]
    if not models and not options.no_networks:
        parser.error(f"there are no .tflite files in {folder}: name some, or a folder with --models")
    found = ["zig", *(["gcc"] if shutil.which("arm-none-eabi-gcc") else [])]
    toolchains: list[str] = options.toolchain or found
    board = load_board(options.board)

    networks = [] if options.no_networks else list(_networks(models, board.name, toolchains, options.inputs))
    layers = [] if options.no_sweep else [row for name in toolchains for row in measure_layers(board, name)]
    document = {
        "board": board.name,
        "core": board.core.name,
        "peers": SOURCE,
        "cycles_basis": None if board.timing is None else board.timing.basis,
        "peers_cycles": CYCLES_SOURCE,
        "networks": [asdict(row) | {name: getattr(row, name) for name in _OF_NETWORKS} for row in networks],
        "layers": [asdict(row) | {name: getattr(row, name) for name in _OF_LAYERS} for row in layers],
    }
    if options.json is not None:
        text = json.dumps(document, indent=1)
        sys.stdout.write(text + "\n") if str(options.json) == "-" else options.json.write_text(text, encoding="utf-8")
    console = Console(width=200, highlight=False, stderr=str(options.json) == "-")
    tables = (*_network_tables(networks, board), *([_layer_table(layers, board.name)] if layers else []))
    for table in tables:
        console.print(table)
        console.print()
    console.print(f"Peers, whatever the board: {SOURCE}. Ratio: ours over CMSIS-NN's.", markup=False)
    if board.timing is not None:
        console.print(f"Cycles: {board.timing.basis}. Peers', whatever the board: {CYCLES_SOURCE}.", markup=False)
    wrong = [row for row in networks if not row.correct] + [row for row in layers if not row.correct]
    console.print(f"{len(networks)} networks, {len(layers)} layers: {len(wrong)} wrong")
    raise SystemExit(1 if wrong else 0)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() or path.suffix == ".tflite" else sorted(path.glob("*.tflite"))


def _networks(models: Sequence[Path], board: str, toolchains: Sequence[str], inputs: int) -> Iterator[NetworkRow]:
    for path in models:
        for toolchain, chosen in product(toolchains, (False, True)):
            with tempfile.TemporaryDirectory() as scratch:
                yield measure_network(path, load_board(board), toolchain, inputs, Path(scratch), chosen=chosen)


def _network_tables(rows: Sequence[NetworkRow], board: Board) -> Iterator[Table]:
    if not rows:
        return
    if board.timing is not None:
        yield from _cycle_tables(rows, board.name, board.timing)
    speed = Table(title=f"One inference on {board.name}, instructions", box=box.MARKDOWN)
    for name in ("network", "compiler", "kernels"):
        speed.add_column(name)
    for name in ("MACs", "ours", "per MAC", "CMSIS-NN", "", "TinyEngine", "ratio", "target", ""):
        speed.add_column(name, justify="right")
    for row in rows:
        tinyengine = "" if row.tinyengine is None else f"{row.tinyengine:,}"
        speed.add_row(
            *(row.name, row.toolchain, row.kernels, f"{row.macs:,}", f"{row.instructions:,}", f"{row.per_mac:.2f}"),
            *(f"{row.cmsis_nn:,}", row.basis, tinyengine, f"{row.ratio:.2f}", f"{row.target:,}"),
            "met" if row.instructions <= row.target else f"over by {100 * (row.instructions / row.target - 1):.0f} %",
        )
    yield speed
    memory = Table(title="Bits and bytes", box=box.MARKDOWN)
    for name in ("network", "compiler", "kernels"):
        memory.add_column(name)
    for name in ("inputs", "wrong outputs", "tensors", "wrong bytes", "accesses outside", "executor / LiteRT"):
        memory.add_column(name, justify="right")
    for name in ("constants", "all else", f"of {CODE_TARGET_BYTES:,}", "arena", "lower bound"):
        memory.add_column(name, justify="right")
    for row in rows:
        memory.add_row(
            *(row.name, row.toolchain, row.kernels, str(row.inputs), str(row.wrong_outputs), str(row.tensors)),
            *(str(row.wrong_bytes), str(row.accesses_outside), str(row.reference_differences)),
            *(f"{row.constant_bytes:,}", f"{row.other_flash_bytes:,}"),
            "met" if row.other_flash_bytes <= CODE_TARGET_BYTES else "over",
            *(f"{row.arena_bytes:,}", f"{row.arena_lower_bound_bytes:,}"),
        )
    yield memory


def _cycle_tables(rows: Sequence[NetworkRow], board: str, timing: Timing) -> Iterator[Table]:
    cycles = Table(title=f"One inference on {board}, cycles: {timing.basis}", box=box.MARKDOWN)
    for name in ("network", "compiler", "kernels"):
        cycles.add_column(name)
    for name in ("MACs", "ours", "CPI", "per MAC", "CMSIS-NN", "ratio"):
        cycles.add_column(name, justify="right")
    for row in rows:
        peer = "" if row.cmsis_nn_cycles is None else f"{row.cmsis_nn_cycles:,}"
        cycles.add_row(
            *(row.name, row.toolchain, row.kernels, f"{row.macs:,}", f"{row.cycles:,}"),
            *(_ratio(row.cycles_per_instruction), _ratio(row.cycles_per_mac), peer, _ratio(row.cycles_ratio)),
        )
    yield cycles
    kernels = Table(title=f"The same by kernel, cycles: {timing.basis}", box=box.MARKDOWN)
    for name in ("network", "compiler", "kernels", "kernel"):
        kernels.add_column(name)
    for name in ("layers", "MACs", "instructions", "cycles", "share", "CPI", "per MAC"):
        kernels.add_column(name, justify="right")
    for row in rows:
        for each in row.by_kernel:
            kernels.add_row(
                *(row.name, row.toolchain, row.kernels, each.variant, str(each.layers), f"{each.macs:,}"),
                *(
                    f"{each.instructions:,}",
                    f"{each.cycles:,}",
                    f"{100 * (each.cycles or 0) / (row.cycles or 1):.1f} %",
                ),
                *(_ratio(each.cycles_per_instruction), _ratio(each.cycles_per_mac)),
            )
    yield kernels


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _layer_table(rows: Sequence[LayerRow], board: str) -> Table:
    toolchains = list(dict.fromkeys(row.toolchain for row in rows))
    table = Table(
        title=f"Layers on {board}, instructions and modelled cycles per MAC (~ of the nearest layer measured)",
        box=box.MARKDOWN,
    )
    for name in ("layer", "kernel"):
        table.add_column(name)
    for name in ("MACs", "CMSIS-NN", "TinyEngine"):
        table.add_column(name, justify="right")
    for toolchain in toolchains:
        for name in (f"{toolchain}", "per output", "ratio", "cycles", "CPI"):
            table.add_column(name, justify="right")
    table.add_column("exact")
    of_layer: dict[tuple[str, str], list[LayerRow]] = {}
    for row in rows:
        of_layer.setdefault((row.name, row.variant), []).append(row)
    for (name, variant), same in of_layer.items():
        ours = {row.toolchain: row for row in same}
        first = same[0]
        cells = [_figures(ours[t]) if t in ours else ("",) * 5 for t in toolchains]
        table.add_row(
            *(name, variant, f"{first.macs:,}"),
            *(_span(first.cmsis_nn, first.extrapolated), _span(first.tinyengine, first.extrapolated)),
            *(text for cell in cells for text in cell),
            "yes" if all(row.correct for row in same) else "NO",
        )
    return table


def _figures(row: LayerRow) -> tuple[str, ...]:
    alone = f"{row.per_mac:.2f}", f"{row.instructions / row.outputs:.1f}", _ratio(row.ratio)
    return *alone, _ratio(row.cycles_per_mac), _ratio(row.cycles_per_instruction)


def _span(figures: tuple[float, float] | None, extrapolated: bool) -> str:
    if figures is None:
        return ""
    low, high = figures
    return ("~" if extrapolated else "") + (f"{low:.2f}" if low == high else f"{low:.1f}-{high:.1f}")


if __name__ == "__main__":
    main()
