"""The journal of a run: an append-only file of JSON lines, each on the disk before its work counts as done."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinynas.errors import UsageError
from tinynas.pipeline.run.storage._atomic import fsync_directory, storage_error

Record = dict[str, Any]


class JournalError(UsageError):
    """A journal damaged in a place where no interrupted write can have damaged it."""


class Journal:
    """Append-only JSON lines. A line without its newline was being written when the process died: it is dropped.

    A record is `{"kind": ..., "time": seconds since 1970, ...}`. Records are never rewritten; the latest of a kind
    is the current one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = _whole_lines(path)
        self._records = _records(path, lines)
        if path.exists() and path.stat().st_size != len(lines):
            os.truncate(path, len(lines))

    def append(self, kind: str, **fields: Any) -> None:
        """Write one record and wait until it is on the disk.

        Raises:
            StorageError: the disk is full; the journal is as it was before.
        """
        record: Record = {"kind": kind, "time": round(time.time(), 3), **fields}
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        created = not self._path.exists()
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                end = os.fstat(descriptor).st_size
                try:
                    _write_all(descriptor, line)
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)
            if created:
                fsync_directory(self._path.parent)
        except OSError as error:
            raise storage_error(self._path, error) from error
        self._records.append(json.loads(line))

    def records(self, kind: str, **match: Any) -> Iterator[Record]:
        """The records of `kind` whose fields equal `match`, oldest first."""
        for record in self._records:
            if record["kind"] == kind and all(record.get(name) == value for name, value in match.items()):
                yield record

    def last(self, kind: str, **match: Any) -> Record | None:
        """The latest record of `kind` whose fields equal `match`."""
        found = None
        for record in self.records(kind, **match):
            found = record
        return found


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def read_journal(path: Path) -> list[Record]:
    """The whole records of a journal; reads only, so that a run that is under way may be looked at.

    Raises:
        JournalError: a line that no interrupted write can have damaged is no record.
    """
    return _records(path, _whole_lines(path))


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _records(path: Path, lines: bytes) -> list[Record]:
    records: list[Record] = []
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise JournalError(f"{path}, line {number} is damaged; start again in a new directory (--out)") from error
        if not isinstance(record, dict) or "kind" not in record:
            raise JournalError(f"{path}, line {number} is not a journal record; start again in a new directory (--out)")
        records.append(record)
    return records
