"""Random networks that run row by row on an emulated core: bit-exact, and nothing touched outside.

    python benchmarks/random_streams.py [--networks 2000] [--core cortex-m4f] [--toolchain zig]

Chains and branches of all layers that work row by row; half of them are one streamed segment, the others have several,
with layers as a whole between and behind them. Each is generated, compiled for the core and run four times between
guard bytes and dirt: on random values twice, with other dirt, and on both ends of the range. Every output byte is
compared with the integer reference executor. A segment is one kernel call, which must stay within its input, its output
(wherever that grows), its scratch and its constants, with every load and store.

Half of the arenas are the planned ones, with guard bytes at both ends, the others have guard bytes around every buffer.
A network is named "segments seed/index": --seed and --network draw it again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinynas.boards import load_toolchain
from tinynas.kernels import InstructionSet
from tinynas.targets import CORES, reference_boards
from tinynas.testing.layers import Layer, LayerImage, LayerResult, check_layers, random_segments

_PER_IMAGE = 100
_SHOWN = 20
_COLUMNS = (
    *("networks", "segments", "layers in them", "runs", "wrong bytes", "guard bytes"),
    *("reads outside", "writes outside", "traps", "failed"),
)

Checked = tuple[Layer, LayerResult]


def main() -> None:
    """Print the table; exit 1 if a network fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=2000)
    parser.add_argument("--core", choices=sorted(reference_boards()), default="cortex-m4f")
    parser.add_argument("--toolchain", choices=("zig", "gcc"), default="zig")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--network", type=int, action="append", help="only the one of this index; may be repeated")
    parser.add_argument("--keep", type=Path, help="leave the generated C and the images in this folder")
    options = parser.parse_args()

    indices = options.network or range(options.networks)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        checked = list(check(options.seed, indices, options.core, options.toolchain, folder))
    print(f"{options.core}, {load_toolchain(options.toolchain).version()}, seed {options.seed}\n")
    print(table(checked))
    failed = [result for _, result in checked if not result.passed]
    for result in failed[:_SHOWN]:
        print(f"{result.name}: {result.complaint}")
    if len(failed) > _SHOWN:
        print(f"... and {len(failed) - _SHOWN} more")
    print(f"\n{len(checked)} networks in {time.monotonic() - started:.0f} s: {len(failed)} failed")
    raise SystemExit(1 if failed else 0)


def check(seed: int, indices: Sequence[int], core: str, toolchain: str, folder: Path) -> Iterator[Checked]:
    """The networks of these indices, and what they did."""
    for first in range(0, len(indices), _PER_IMAGE):
        chosen = indices[first : first + _PER_IMAGE]
        networks = [random_segments(seed, index, InstructionSet.of(CORES[core])) for index in chosen]
        directory = folder / f"networks-{chosen[0]}"
        directory.mkdir(parents=True, exist_ok=True)
        image = LayerImage(networks, CORES[core], load_toolchain(toolchain), directory)
        yield from zip(networks, check_layers(image, seed), strict=True)


def table(checked: Sequence[Checked]) -> str:
    """In Markdown: a row for what is one segment, for what is not, for each kernel in segments, and for all."""
    groups = {
        "one segment": [each for each in checked if len(each[0].schedule.steps) == 1],
        "several steps": [each for each in checked if len(each[0].schedule.steps) > 1],
    }
    for kernel in sorted({kernel for network, _ in checked for kernel in streamed_kernels(network)}):
        groups[f"with `{kernel}`"] = [each for each in checked if kernel in streamed_kernels(each[0])]
    groups["all"] = list(checked)
    lines = [f"| networks of | {' | '.join(_COLUMNS)} |", f"|---|{'---:|' * len(_COLUMNS)}"]
    lines += [f"| {name} | {' | '.join(f'{count:,}' for count in _row(group))} |" for name, group in groups.items()]
    return "\n".join(lines)


def streamed_kernels(network: Layer) -> list[str]:
    """The kernels of all layers in segments."""
    streams = [step.stream for step in network.schedule.steps if step.stream is not None]
    return [layer.step.variant for stream in streams for layer in stream.layers]


def _row(checked: Sequence[Checked]) -> tuple[int, ...]:
    results = [result for _, result in checked]
    return (
        len(checked),
        sum(step.stream is not None for network, _ in checked for step in network.schedule.steps),
        sum(len(streamed_kernels(network)) for network, _ in checked),
        sum(r.runs for r in results),
        sum(r.differences for r in results),
        sum(r.guard_bytes for r in results),
        sum(r.reads_outside for r in results),
        sum(r.writes_outside for r in results),
        sum(r.stopped for r in results),
        sum(not r.passed for r in results),
    )


if __name__ == "__main__":
    main()
