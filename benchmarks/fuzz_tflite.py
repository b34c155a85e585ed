"""Hand damaged .tflite files to everything that reads them: each must end in a result or in one clear line.

Every input is used in all the ways of `fuzz_uses`, in a process of its own pool whose memory and processor time are
limited. What counts as a finding: an exception that is not a `TinyNASError`, a message that is not one printable line,
a warning, more than 20 seconds of the processor, more than 1 GB, a crash.

    python benchmarks/fuzz_tflite.py MODEL.tflite [...] [--inputs 10000] [--state FOLDER] [--out FOLDER]

Without a model it takes small networks with random weights. With --state it can be killed and continued: the folder
has one JSON file per model, written every few seconds, with the numbers of the inputs that are done. Inputs that
end in a finding are kept in --out. Exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
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
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import numpy as np
from fuzz_state import State, Tally, digest_of_sources
from fuzz_uses import use

from tinynas.errors import TinyNASError
from tinynas.formats import write_tflite
from tinynas.testing import FileDamager, random_int8_graph

SECONDS = 20.0
"""Of the processor, for everything that is done with one input: on a busy machine it may take longer."""
MEMORY_BYTES = 1 << 30
"""Of address space, above what the process takes before its first input."""
GRACE_SECONDS = 10.0
"""How much later a process is ended from outside: native code hears no signal."""
STALL_SECONDS = 600.0
"""Without an answer, whatever the process does: who waits for ever takes no time of the processor."""
SAVE_SECONDS = 5.0
LONGEST_MESSAGE = 500
GENERATED = 4
"""Networks where no model is given."""


class TooSlow(BaseException):
    """An input took longer than it may. Not an Exception, so that nothing swallows it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the models of the command line. Returns 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--inputs", type=int, default=10_000, help="damaged files per model")
    parser.add_argument("--first", type=int, default=0, help="number of the first one: each number is one input")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--state", type=Path, help="folder that says what is done, to continue from")
    parser.add_argument("--out", type=Path, help="folder for the inputs that end in a finding")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processor time is that of all threads
    contents = {path.name: path.read_bytes() for path in options.models}
    if not contents:
        contents = {f"generated-{seed}": _generated(seed) for seed in range(GENERATED)}
    sources = digest_of_sources()
    results = {}
    for name, content in contents.items():
        state = None if options.state is None else State(options.state, name, content, sources)
        tally = fuzz(content, range(options.first, options.first + options.inputs), options.jobs, state)
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
        print(json.dumps({name: tally.as_json() for name, tally in results.items()}, indent=1))
    return int(any(tally.findings for tally in results.values()))


def _generated(seed: int) -> bytes:
    return write_tflite(random_int8_graph(np.random.default_rng(seed), operators=12))


def damaged_input(damager: FileDamager, number: int) -> bytes:
    """The input with this number; the same one each time."""
    return damager.damaged(np.random.default_rng(number))


def fuzz(content: bytes, numbers: Iterable[int], jobs: int, state: State | None = None) -> Tally:
    """Hand every input of `numbers` that `state` does not know to the readers, in `jobs` processes."""
    tally = Tally() if state is None else state.load()
    left = [number for number in numbers if number not in tally.done]
    shares = [collections.deque(left[worker::jobs]) for worker in range(jobs)]
    running = [_Worker(content, share) for share in shares if share]
    saved = time.monotonic()
    while running:
        multiprocessing.connection.wait([worker.connection for worker in running], timeout=1.0)
        for worker in list(running):
            if not worker.advance(tally):
                running.remove(worker)
        if state is not None and time.monotonic() - saved > SAVE_SECONDS:
            state.save(tally)
            saved = time.monotonic()
    if state is not None:
        state.save(tally)
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
        self._hear()

    def _hear(self) -> None:
        self._heard, self._used = time.monotonic(), _processor_seconds(self._process.pid)

    def _hangs(self) -> bool:
        used = _processor_seconds(self._process.pid) - self._used
        return used > SECONDS + GRACE_SECONDS or time.monotonic() - self._heard > STALL_SECONDS

    def advance(self, tally: Tally) -> bool:
        """Take what the process has said; False once all its inputs are done."""
        try:
            while self._numbers and self.connection.poll():
                outcome, finding, seconds, peak = self.connection.recv()
                self._hear()
                tally.note(self._numbers.popleft(), outcome, finding, seconds, peak)
            if not self._numbers or not self._hangs():
                return bool(self._numbers)
            finding = "hangs in native code"
        except (EOFError, ConnectionError):
            self._process.join(GRACE_SECONDS)
            finding = f"the process died with exit code {self._process.exitcode}"
        self._process.kill()
        self._process.join()
        tally.note(self._numbers.popleft(), "a finding", finding, 0.0, 0)
        if self._numbers:
            self._start()
        return bool(self._numbers)


def _processor_seconds(pid: int | None) -> float:
    """User and system time of a process; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _serve(content: bytes, numbers: list[int], connection: Connection) -> None:
    """What a process does: each input in turn, under the limits."""
    signal.signal(signal.SIGPROF, _out_of_time)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this process
    warnings.simplefilter("error")
    logging.disable(logging.WARNING)  # of a stale memory model, thousands of times
    damager = FileDamager(content)
    before = _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (before + MEMORY_BYTES, before + MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(BrokenPipeError):
        for number in numbers:
            path = Path(folder) / "damaged.tflite"
            path.write_bytes(damaged_input(damager, number))
            start = time.process_time()
            outcome, finding = _try(path, Path(folder), number)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            connection.send((outcome, finding, time.process_time() - start, peak))


def _out_of_time(signum: int, frame: FrameType | None) -> None:
    raise TooSlow


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _try(path: Path, folder: Path, number: int) -> tuple[str, str | None]:
    """What became of one input, and what is wrong with that."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        used, refusals = use(path, folder, number)
    except TinyNASError as error:
        used, refusals = 0, [str(error)]
    except TooSlow as error:
        return "a finding", f"more than {SECONDS:.0f} s in {_place(error)}"
    except Exception as error:
        return "a finding", f"{type(error).__name__} in {_place(error)}: {str(error)[:80]!r}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    for message in refusals:
        if not message.isprintable() or not 10 <= len(message) <= LONGEST_MESSAGE:
            return "a finding", f"a message of {len(message)} characters: {message[:80]!r}"
    if not refusals:
        return "used in every way", None
    return ("used in some ways" if used else "refused"), None


def _place(error: BaseException) -> str:
    """Where in this package an exception came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "tinynas" in Path(f.filename).parts]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "the fuzzer"


if __name__ == "__main__":
    sys.exit(main())
