"""Progress bars with the time left, on stderr; plain lines where stderr is no terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_LOG_EVERY_S = 15.0


class TerminalProgress:
    """Implements `tinynas.pipeline.Progress` on a terminal, or as sparse log lines in a file."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._title = ""
        self._total = 0
        self._started = 0.0
        self._logged = 0.0

    def begin(self, title: str, total: int) -> None:
        """Draw a new bar."""
        self._stop()
        self._title, self._total = title, total
        self._started = self._logged = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description:<28}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[note]}"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(title, total=total or None, note="")
            self._bar.start()

    def advance(self, completed: int, note: str = "") -> None:
        """Move the bar; off the terminal, write a line now and then."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=completed, note=note)
            return
        now = time.monotonic()
        if now - self._logged >= _LOG_EVERY_S:
            self._logged = now
            self._console.print(f"  {self._title}: {completed}/{self._total or '?'} {note}".rstrip())

    def end(self, summary: str = "") -> None:
        """Replace the bar by one line that stays."""
        self._stop()
        seconds = time.monotonic() - self._started
        self._console.print(f"[green]✓[/green] {self._title:<28} {seconds:6.1f} s  {summary}".rstrip())

    def close(self) -> None:
        """Give the terminal back, whatever happened."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar, self._task = None, None
