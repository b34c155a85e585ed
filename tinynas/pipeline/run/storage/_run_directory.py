"""The run directory: journal, named artefacts, and one owner at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tinynas.errors import UsageError
from tinynas.pipeline.run.storage._atomic import storage_error, write_atomically
from tinynas.pipeline.run.storage._journal import Journal


class RunDirectoryError(UsageError):
    """The directory belongs to another run, is in use, or an artefact in it has been changed."""


class RunDirectory:
    """A directory in which a run keeps everything it must not lose.

    Use it as a context manager: it is locked against a second process while open. The lock is the kernel's
    (`flock`), so that a killed run never leaves one behind. `identity` is whatever decides the result (the
    configuration, the board, versions); reopening the directory with another identity is refused. What is known later
    only joins it then (`identify`).

    Args:
        path: of the directory, which is made where it is missing.
        identity: what the result follows from.
        added: parts of the identity that runs of earlier versions do not have, and what those did, in words.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], added: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))
        self._added = added or {}
        self._lock = -1
        self._journal: Journal | None = None
        self._earlier = 0.0
        self._entered = 0.0

    def __enter__(self) -> RunDirectory:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage_error(self.path, error) from error
        try:
            self._acquire()
            self._journal = Journal(self.path / "journal.jsonl")
            self._check_identity()
            finished = self.journal.last("finished")
            self._earlier = 0.0 if finished is None else float(finished["spent"])
            self._entered = time.monotonic()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            raise RuntimeError("the run directory is not open")
        return self._journal

    def spent_seconds(self) -> float:
        """What the run has taken: this process since it began, and earlier ones up to what they finished."""
        return self._earlier + time.monotonic() - self._entered

    def file(self, name: str) -> Path:
        """The path of the artefact `name` (which may name a folder: `winner/model.tflite`)."""
        return self.path / name

    def write(self, name: str, content: bytes | str) -> None:
        """Write an artefact atomically."""
        write_atomically(self.file(name), content.encode() if isinstance(content, str) else content)

    def write_json(self, name: str, value: Any) -> None:
        """Write an artefact as JSON; NaN and infinities are refused, because other readers refuse them."""
        self.write(name, json.dumps(value, indent=1, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Read back what `write_json` wrote."""
        return json.loads(self.file(name).read_bytes())

    def finished(self, work: str) -> dict[str, Any] | None:
        """The result of finished `work`, after checking that its artefacts are still what it wrote; or None.

        Raises:
            RunDirectoryError: an artefact has been removed or changed since.
        """
        record = self.journal.last("finished", work=work)
        if record is None:
            return None
        for name, digest in record["artefacts"].items():
            path = self.file(name)
            if not path.is_file():
                raise RunDirectoryError(f"{path}, written by '{work}', is gone: restore it, or start in a new --out")
            if _digest(path) != digest:
                raise RunDirectoryError(f"{path} has changed since '{work}' wrote it: restore it, or use a new --out")
        result: dict[str, Any] = record["result"]
        return result

    def finish(self, work: str, result: Mapping[str, Any], artefacts: Iterable[str], seconds: float) -> None:
        """Record that `work` is done. Its artefacts must be on the disk already."""
        digests = {name: _digest(self.file(name)) for name in artefacts}
        self.journal.append(
            "finished",
            work=work,
            result=dict(result),
            artefacts=digests,
            seconds=round(seconds, 2),
            spent=round(self.spent_seconds(), 2),
        )

    def once(
        self, work: str, compute: Callable[[], Mapping[str, Any]], artefacts: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Return the result of `work`, computing it only if no earlier process finished it.

        `compute` writes `artefacts` itself and returns a JSON object.
        """
        result = self.finished(work)
        if result is None:
            started = time.monotonic()
            result = json.loads(json.dumps(dict(compute()), allow_nan=False))
            self.finish(work, result, artefacts, time.monotonic() - started)
        return result

    def identify(self, part: str, value: Any) -> None:
        """Add to the identity what is known only now.

        Raises:
            RunDirectoryError: an earlier process knew it as something else.
        """
        value = json.loads(json.dumps(value))
        known = self.journal.last("identified", part=part)
        if known is None:
            self.journal.append("identified", part=part, value=value)
        else:
            self._refuse_differences({part: known["value"]}, {part: value})

    def _acquire(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "unknown"
            raise RunDirectoryError(f"{self.path} is in use by another run (process {owner})") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def _check_identity(self) -> None:
        started = self.journal.last("started")
        if started is None:
            if self._strangers():
                raise RunDirectoryError(f"{self.path} is not empty and holds no run: choose another --out")
            self.journal.append("started", identity=self._identity)
            return
        for part, earlier in self._added.items():
            if part not in started["identity"]:
                raise RunDirectoryError(
                    f"{self.path} was made by an earlier version of TinyNAS, which {earlier}: "
                    "`tinynas report` and `tinynas export` still read it; to run again, give a new directory (--out)"
                )
        self._refuse_differences(started["identity"], self._identity)
        self.journal.append("continued")

    def _refuse_differences(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        changed = list(_differences(before, after))
        if changed:
            key, old, new = changed[0]
            more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
            raise RunDirectoryError(
                f"{self.path} was started with {key} = {old}, now it is {new}{more}: "
                "undo the change, or start in a new directory (--out)"
            )

    def _strangers(self) -> bool:
        return any(entry.name not in ("run.lock", "journal.jsonl") for entry in self.path.iterdir())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _differences(before: Any, after: Any, key: str = "") -> Iterable[tuple[str, str, str]]:
    if isinstance(before, dict | None) and isinstance(after, dict | None) and before != after:
        before, after = before or {}, after or {}
        for name in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(name), after.get(name), f"{key}.{name}" if key else name)
    elif before != after:
        yield key, json.dumps(before), json.dumps(after)
