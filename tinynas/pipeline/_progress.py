"""How long work tells whoever watches. The pipeline knows no terminal; the command line draws the bars."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives `begin`, any number of `advance`, then `end`, for one piece of work after the other."""

    def begin(self, title: str, total: int) -> None:
        """Work of `total` equal units starts (0: unknown)."""

    def advance(self, completed: int, note: str = "") -> None:
        """`completed` units of the current work are done."""

    def end(self, summary: str = "") -> None:
        """The current work is done; `summary` is what a reader should remember of it, on one line."""


class SilentProgress:
    """Nobody watches."""

    def begin(self, title: str, total: int) -> None:
        """Ignore the start."""

    def advance(self, completed: int, note: str = "") -> None:
        """Ignore the advance."""

    def end(self, summary: str = "") -> None:
        """Ignore the end."""
