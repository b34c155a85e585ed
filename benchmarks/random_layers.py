"""Random layers of every operator on an emulated core: bit-exact, nothing touched outside, nothing that silicon traps.

    python benchmarks/random_layers.py [--layers 2000] [--core cortex-m4f] [--toolchain zig] [--kinds conv_2d,add]

Each layer is generated, compiled for the core and run four times between guard bytes and dirt: on random values twice,
with other dirt, and on both ends of the range. Every output byte is compared with the integer reference executor; every
load and store must stay within the layer's tensors, scratch and constants; instructions that fault on unaligned
addresses are checked as they execute. A layer is named "kind seed/index": --seed and --layer draw it again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tinynas.boards import load_toolchain
from tinynas.kernels import InstructionSet
from tinynas.targets import CORES, reference_boards
from tinynas.testing.layers import LAYER_KINDS, LayerImage, LayerResult, check_layers, random_layer

_PER_IMAGE = 100
_SHOWN = 20


def main() -> None:
    """Print the table; exit 1 if a layer fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=2000)
    parser.add_argument("--core", choices=sorted(reference_boards()), default="cortex-m4f")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(LAYER_KINDS), help=f"of {', '.join(LAYER_KINDS)}")
    parser.add_argument("--layer", type=int, action="append", help="only the layer of this index; may be repeated")
    parser.add_argument("--keep", type=Path, help="leave the generated C and the images in this folder")
    options = parser.parse_args()
    kinds = tuple(options.kinds.split(","))
    if unknown := set(kinds) - set(LAYER_KINDS):
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(LAYER_KINDS)}")

    indices = options.layer or range(options.layers)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        results = list(_results(options.seed, indices, kinds, options.core, options.toolchain, folder))
    console = Console(width=140, highlight=False)
    console.print(
        _table(results, f"{options.core}, {load_toolchain(options.toolchain).version()}, seed {options.seed}")
    )
    failed = [result for result in results if not result.passed]
    for result in failed[:_SHOWN]:
        console.print(f"{result.description}\n    {result.complaint}", markup=False)
    if len(failed) > _SHOWN:
        console.print(f"... and {len(failed) - _SHOWN} more")
    seconds = time.monotonic() - started
    console.print(
        f"{len(results)} layers, {sum(r.runs for r in results)} runs in {seconds:.0f} s: {len(failed)} failed"
    )
    raise SystemExit(1 if failed else 0)


def _results(
    seed: int, indices: Sequence[int], kinds: tuple[str, ...], core: str, toolchain: str, folder: Path
) -> Iterator[LayerResult]:
    for first in range(0, len(indices), _PER_IMAGE):
        chosen = indices[first : first + _PER_IMAGE]
        layers = [random_layer(seed, index, kinds, InstructionSet.of(CORES[core])) for index in chosen]
        directory = folder / f"layers-{chosen[0]}"
        directory.mkdir(parents=True, exist_ok=True)
        yield from check_layers(LayerImage(layers, CORES[core], load_toolchain(toolchain), directory), seed)


def _table(results: Sequence[LayerResult], title: str) -> Table:
    table = Table("kernel variant", title=title)
    columns = ("layers", "runs", "wrong bytes", "guard bytes", "reads outside", "writes outside", "traps", "failed")
    for name in columns:
        table.add_column(name, justify="right")
    for variant in sorted({result.variant for result in results}):
        table.add_row(variant, *_row([result for result in results if result.variant == variant]))
    table.add_section()
    table.add_row("all", *_row(results))
    return table


def _row(results: Sequence[LayerResult]) -> list[str]:
    counts = (
        len(results),
        sum(r.runs for r in results),
        sum(r.differences for r in results),
        sum(r.guard_bytes for r in results),
        sum(r.reads_outside for r in results),
        sum(r.writes_outside for r in results),
        sum(r.stopped for r in results),
        sum(not r.passed for r in results),
    )
    return [f"{count:,}" for count in counts]


if __name__ == "__main__":
    main()
