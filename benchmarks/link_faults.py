"""Frames through lines that drop, flip, double, repeat, cut and delay: what arrives, and how long calls take.

    python benchmarks/link_faults.py [--frames 100000] [--seed 0]

Prints a table in Markdown, and ends with code 1 where a result was wrong, a call took longer than it may, or a failure
had no name. The far end is the firmware of one small network on the virtual board nucleo-f303k8, the host
`tinynas.boards.Device`. Time is that of the line alone, at 115,200 baud, in a clock that passes while somebody waits.

A row is one kind of line, over which inferences are asked for until its share of the frames has gone through it:

- frames: requests and answers that were sent;
- faults: how often one befell a byte or a frame;
- right, error, wrong: inferences whose output is the expected one, that ended in a `LinkError`, and all others;
- longest: the longest call, in parts of what docs/protocol.md allows it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tinynas.boards import Device, LinkError, VirtualBoard
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.pipeline import deploy
from tinynas.targets import load_board
from tinynas.testing import FakeClock, FaultRates, FaultyLine

_BAUD = 115_200
_TRANSFER_S = 20_800 / _BAUD
_EXPECTED_TICKS = 100_000
# docs/protocol.md: three waits for a request, two for inferences.
_SHORT_S = 3 * (1.0 + _TRANSFER_S)
_INFERENCE_S = 2 * (2.0 + _TRANSFER_S)
_INPUTS = 8

LINES: Mapping[str, FaultRates] = {
    "no faults": FaultRates(),
    "drops 1 byte in 1,000": FaultRates(drop=1e-3),
    "flips a bit of 1 byte in 1,000": FaultRates(flip=1e-3),
    "doubles 1 byte in 1,000": FaultRates(double=1e-3),
    "repeats 1 frame in 5": FaultRates(repeat=0.2),
    "cuts 1 frame in 5": FaultRates(cut=0.2),
    "delays 1 frame in 5, by up to 3 s": FaultRates(delay=0.2),
    "all of them": FaultRates(1e-3, 1e-3, 1e-3, 0.1, 0.1, 0.1),
    "all of them, in bytes three times as often": FaultRates(3e-3, 3e-3, 3e-3, 0.1, 0.1, 0.1),
}


@dataclass
class Result:
    """What happened on one kind of line."""

    name: str
    frames: int = 0
    faults: int = 0
    right: int = 0
    errors: int = 0
    wrong: int = 0
    unnamed: int = 0
    longest: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.wrong and not self.unnamed and self.longest <= 1.001


def build(folder: Path) -> tuple[VirtualBoard, list[tuple[bytes, bytes]]]:
    """A board with a small network, and what it answers to some inputs over a line without faults."""
    builder = GraphBuilder("small", DType.INT8)
    x = builder.conv_2d(builder.input((1, 6, 6, 1)), 3, 3, name="conv")
    graph = with_random_constants(builder.build([x]), seed=0)
    target = load_board("nucleo-f303k8")
    board = VirtualBoard(target, deploy(graph, target, folder).firmware.elf)
    device, random = Device(board), Random(0)
    inputs = [random.randbytes(device.hello().input_bytes) for _ in range(_INPUTS)]
    return board, [(data, device.infer(data)) for data in inputs]


def check(
    name: str, rates: FaultRates, board: VirtualBoard, pairs: Sequence[tuple[bytes, bytes]], frames: int, seed: int
) -> Result:
    """Ask for inferences over one kind of line until so many frames have gone through it."""
    clock, random, result = FakeClock(), Random(seed), Result(name)
    line = FaultyLine(board, rates, random, clock, _BAUD)
    device = Device(line, baud=_BAUD, clock=clock)

    def timed(call: Callable[[], Any], seconds: float) -> Any:
        begun = clock.now
        try:
            return call()
        finally:
            result.longest = max(result.longest, (clock.now - begun) / seconds)

    while line.pieces < frames:
        data, expected = random.choice(pairs)
        try:
            timed(device.hello, _SHORT_S)
            timed(lambda data=data: device.write_input(data), _SHORT_S)
            timed(lambda: device.run(expected_ticks=_EXPECTED_TICKS), _INFERENCE_S)
            output = timed(device.read_output, _SHORT_S)
        except LinkError as error:
            result.errors += 1
            result.unnamed += "does not answer" not in str(error)
            continue
        except Exception:
            result.unnamed += 1
            continue
        result.right += output == expected
        result.wrong += output != expected
    result.frames, result.faults = line.pieces, line.faults
    return result


def table(results: Sequence[Result]) -> str:
    """The results in Markdown, with their sum."""
    total = Result(
        "all",
        *(
            sum(getattr(r, field) for r in results)
            for field in ("frames", "faults", "right", "errors", "wrong", "unnamed")
        ),
        max(r.longest for r in results),
    )
    rows = ["| line | frames | faults | right | error | wrong | not named | longest |", "|---|" + 7 * "---:|"]
    rows += [
        f"| {r.name} | {r.frames:,} | {r.faults:,} | {r.right:,} | {r.errors:,} | {r.wrong} | {r.unnamed} "
        f"| {r.longest:.2f} |"
        for r in (*results, total)
    ]
    return "\n".join(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    share = -(-arguments.frames // len(LINES))
    with tempfile.TemporaryDirectory() as folder:
        board, pairs = build(Path(folder))
        results = [check(name, rates, board, pairs, share, arguments.seed) for name, rates in LINES.items()]
    print(table(results))
    if not all(result.passed for result in results):
        sys.exit(1)


if __name__ == "__main__":
    main()
