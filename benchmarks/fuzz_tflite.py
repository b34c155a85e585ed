"""Hand damaged .tflite files to everything that reads them: each must end in a result or in one clear line.

Every input is read, lowered, planned, inspected for both engines, and exported as C and with an offline plan, in a
process of its own pool whose memory and time are limited. What counts as a finding: an exception that is not a
`TinyNASError`, a message that is not one printable line, a warning, more than 10 seconds, more than 1 GB, a crash.

    python benchmarks/fuzz_tflite.py MODEL.tflite [...] [--inputs 10000] [--out FOLDER]

Without a model it takes a small network with random weights. Inputs that end in a finding are kept in --out. Exit code
1 where there is one.
"""

from __future__ import annotations

import argparse
import collections
import json
import logging
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from tinynas.errors import TinyNASError
from tinynas.formats import write_tflite
from tinynas.pipeline import export_model, inspect_model
from tinynas.testing import FileDamager, random_int8_graph

SECONDS = 10.0
"""For everything that is done with one input."""
MEMORY_BYTES = 1 << 30
"""Of address space, above what the process takes before its first input."""
GRACE_SECONDS = 10.0
"""How much later a process is ended from outside: native code hears no signal."""
LONGEST_MESSAGE = 500
BOARD = "nucleo-f303k8"


class TooSlow(BaseException):
    """An input took longer than it may. Not an Exception, so that nothing swallows it."""


@dataclass
class Tally:
    """What became of the inputs of one model file."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: dict[str, list[int]] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    peak_bytes: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the models of the command line. Returns 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged files per model")
    parser.add_argument("--first", type=int, default=0, help="number of the first one: each number is one input")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="folder for the inputs that end in a finding")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    contents = {path.name: path.read_bytes() for path in options.models}
    if not contents:
        contents["generated"] = write_tflite(random_int8_graph(np.random.default_rng(0), operators=12))
    results = {}
    for name, content in contents.items():
        tally = fuzz(content, range(options.first, options.first + options.inputs), options.jobs)
        results[name] = tally
        print(
            f"{name}: {sum(tally.outcomes.values())} inputs: "
            + ", ".join(f"{count} {outcome}" for outcome, count in tally.outcomes.most_common())
            + f"; slowest {tally.slowest_seconds:.1f} s, peak {tally.peak_bytes / 1e6:.0f} MB",
            file=sys.stderr,
        )
        for finding, inputs in tally.findings.items():
            print(f"  {len(inputs)} times (first: --first {inputs[0]} --inputs 1): {finding}", file=sys.stderr)
            if options.out is not None:
                options.out.mkdir(parents=True, exist_ok=True)
                damaged = damaged_input(FileDamager(content), inputs[0])
                (options.out / f"{Path(name).stem}-{inputs[0]}.tflite").write_bytes(damaged)
    if options.json:
        print(json.dumps({name: vars(tally) for name, tally in results.items()}, indent=1))
    return int(any(tally.findings for tally in results.values()))


def damaged_input(damager: FileDamager, number: int) -> bytes:
    """The input with this number; the same one each time."""
    return damager.damaged(np.random.default_rng(number))


def fuzz(content: bytes, numbers: range, jobs: int) -> Tally:
    """Hand every input of `numbers` to the readers, in `jobs` processes."""
    tally = Tally()
    shares = [collections.deque(numbers[worker::jobs]) for worker in range(jobs)]
    running = [_Worker(content, share) for share in shares if share]
    while running:
        multiprocessing.connection.wait([worker.connection for worker in running], timeout=1.0)
        for worker in list(running):
            if not worker.advance(tally):
                running.remove(worker)
    return tally


class _Worker:
    """One process and the inputs it has not finished; a process that dies or hangs is replaced."""

    def __init__(self, content: bytes, numbers: collections.deque[int]) -> None:
        self._content, self._numbers = content, numbers
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._content, list(self._numbers), theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._heard = time.monotonic()

    def advance(self, tally: Tally) -> bool:
        """Take what the process has said; False once all its inputs are done."""
        try:
            while self._numbers and self.connection.poll():
                outcome, finding, seconds, peak = self.connection.recv()
                self._heard = time.monotonic()
                self._note(tally, outcome, finding, seconds)
                tally.peak_bytes = max(tally.peak_bytes, peak)
            hangs = time.monotonic() - self._heard > SECONDS + GRACE_SECONDS
            if not self._numbers or not hangs:
                return bool(self._numbers)
            finding = "hangs in native code"
        except (EOFError, ConnectionError):
            self._process.join(GRACE_SECONDS)
            finding = f"the process died with exit code {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        self._note(tally, "a finding", finding, 0.0)
        if self._numbers:
            self._start()
        return bool(self._numbers)

    def _note(self, tally: Tally, outcome: str, finding: str | None, seconds: float) -> None:
        number = self._numbers.popleft()
        tally.outcomes[outcome] += 1
        tally.slowest_seconds = max(tally.slowest_seconds, seconds)
        if finding is not None:
            tally.findings.setdefault(finding, []).append(number)


def _serve(content: bytes, numbers: list[int], connection: Connection) -> None:
    """What a process does: each input in turn, under the limits."""
    signal.signal(signal.SIGALRM, _out_of_time)
    warnings.simplefilter("error")
    logging.disable(logging.WARNING)  # of a stale memory model, thousands of times
    damager = FileDamager(content)
    before = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (before + MEMORY_BYTES, before + MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            path = Path(folder) / "damaged.tflite"
            path.write_bytes(damaged_input(damager, number))
            start = time.monotonic()
            outcome, finding = _try(path, Path(folder))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            connection.send((outcome, finding, time.monotonic() - start, peak))


def _out_of_time(signum: int, frame: FrameType | None) -> None:
    raise TooSlow


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _try(path: Path, folder: Path) -> tuple[str, str | None]:
    """What became of one input, and what is wrong with that."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        use(path, folder)
    except TinyNASError as error:
        message = str(error)
        if not message.isprintable() or not 10 <= len(message) <= LONGEST_MESSAGE:
            return "a finding", f"{type(error).__name__} with a message of {len(message)} characters: {message[:80]!r}"
        return "refused", None
    except TooSlow as error:
        return "a finding", f"more than {SECONDS:.0f} s in {_place(error)}"
    except Exception as error:
        return "a finding", f"{type(error).__name__} in {_place(error)}: {str(error)[:80]!r}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "read and inspected", None


def use(path: Path, folder: Path) -> dict[str, Any]:
    """Everything that takes a model file of the user's and neither compiles nor runs it."""
    results = {"native": inspect_model(path, BOARD)}
    for kernels in ("reference", "cmsis-nn"):
        results[kernels] = inspect_model(path, BOARD, engine="tflm", kernels=kernels)
    export_model(path, folder / "project", force=True)
    export_model(path, folder / "planned.tflite", plan_offline=True, force=True)
    json.dumps(results, allow_nan=False)
    return results


def _place(error: BaseException) -> str:
    """Where in this package an exception came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "tinynas" in Path(f.filename).parts]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "the fuzzer"


if __name__ == "__main__":
    sys.exit(main())
