"""Tables by their names."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

from tabular._macro import nas_bench_macro
from tabular._nas_bench_201 import nas_bench_201
from tabular._own import own_table
from tabular._table import NasTable
from tinynas.errors import UsageError

TABLE_NAMES = ("macro", "201", "own")


def load_table(name: str, path: Path | None, dataset: str) -> NasTable:
    """The table of that name.

    Args:
        name: of `TABLE_NAMES`.
        path: where it lies; none: our own lies with its program.
        dataset: of NAS-Bench-201.

    Raises:
        UsageError: a public table has no path, there is no such file, or it is another.
    """
    if name != "own" and (path is None or not path.is_file()):
        raise UsageError(f"table {name!r} is a file that --path names; {path} is none")
    try:
        return _read(name, path, dataset)
    except (ValueError, TypeError, AttributeError, LookupError, EOFError, OSError, BadZipFile) as error:
        raise UsageError(f"{path} is not the table {name!r} ({type(error).__name__}: {error})") from error


def _read(name: str, path: Path | None, dataset: str) -> NasTable:
    if name == "own" or path is None:
        return own_table(path)
    return nas_bench_macro(path) if name == "macro" else nas_bench_201(path, dataset)
