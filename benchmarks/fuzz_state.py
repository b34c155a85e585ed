"""What became of the inputs of one model file, and how that outlives the process."""

from __future__ import annotations

import collections
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tinynas
from tinynas.pipeline import write_atomically


@dataclass
class Tally:
    """What became of the inputs of one model file; `done` are their numbers."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: dict[str, list[int]] = field(default_factory=dict)
    slowest_seconds: float = 0.0
    peak_bytes: int = 0
    done: set[int] = field(default_factory=set)

    def note(self, number: int, outcome: str, finding: str | None, seconds: float, peak_bytes: int) -> None:
        """One input has ended."""
        self.done.add(number)
        self.outcomes[outcome] += 1
        self.slowest_seconds = max(self.slowest_seconds, seconds)
        self.peak_bytes = max(self.peak_bytes, peak_bytes)
        if finding is not None:
            self.findings.setdefault(finding, []).append(number)

    def as_json(self) -> dict[str, Any]:
        """The tally with `done` as ranges (first, end)."""
        return {**vars(self), "done": _ranges(self.done)}


class State:
    """The tally of one model file in a folder, as `NAME-DIGEST.json`, replaced as a whole.

    It holds for one state of the sources: what another version made of an input says nothing about this one.
    """

    def __init__(self, folder: Path, name: str, content: bytes, sources: str) -> None:
        self._path = folder / f"{Path(name).stem}-{hashlib.sha256(content).hexdigest()[:12]}.json"
        self._sources = sources

    def load(self) -> Tally:
        """What earlier runs with these sources left, or an empty tally."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Tally()
        if document.pop("sources") != self._sources:
            return Tally()
        document["outcomes"] = collections.Counter(document["outcomes"])
        document["done"] = {number for first, end in document["done"] for number in range(first, end)}
        return Tally(**document)

    def save(self, tally: Tally) -> None:
        """Replace what is there: a run killed at any moment leaves the old tally or the new one."""
        document = {"sources": self._sources, **tally.as_json()}
        write_atomically(self._path, json.dumps(document, indent=1).encode())


def digest_of_sources() -> str:
    """Of all Python files of the package and of the fuzzer."""
    digest = hashlib.sha256()
    for folder in (Path(tinynas.__file__).parent, Path(__file__).parent):
        for path in sorted(folder.rglob("*.py") if folder.name == "tinynas" else folder.glob("fuzz_*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] = number + 1
        else:
            ranges.append([number, number + 1])
    return ranges
