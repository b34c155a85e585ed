"""What a network gives up so that it fits, as `inspect`, `measure` and `export` print it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console


def print_changes(console: Console, schedule: Mapping[str, Any] | None) -> None:
    """Each change beyond what shapes alone decide, and what all of them cost; nothing where there is none."""
    if schedule is None or not schedule["changes"]:
        return
    console.print(
        "faster within that arena than what shapes alone decide, which fits as well:"
        if schedule["fits_by_shape"]
        else "given up for memory, since shapes alone do not fit:"
    )
    for change in schedule["changes"]:
        console.print(f"  {change}", markup=False)
    arena, by_shape = schedule["arena_bytes"], schedule["arena_bytes_by_shape"]
    ticks, flash = schedule["extra_ticks"], schedule["extra_flash_bytes"]
    speed = "speed unknown" if ticks is None else _more(ticks, schedule["unit"])
    console.print(f"  arena {arena:,} bytes instead of {by_shape:,}, {speed}, {_more(flash, 'bytes of flash')}")


def print_input_by_rows(console: Console, rows: Mapping[str, Any]) -> None:
    """What a network takes whose input comes row by row."""
    console.print(
        f"input row by row: {rows['rows']:,} rows of {rows['row_bytes']:,} bytes; arena {rows['arena_bytes']:,} bytes, "
        f"{rows['arena_bytes_as_a_whole']:,} as a whole"
        + "; --arena BYTES builds it in less"
        * (rows["arena_bytes"] > rows["arena_bytes_as_a_whole"])
    )


def _more(count: int, what: str) -> str:
    return f"{abs(count):,} {what} {'less' if count < 0 else 'more'}"
