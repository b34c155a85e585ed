"""JSON that is compared line by line: what nests no further takes one line each."""

from __future__ import annotations

import json
from typing import Any


def compact_json(document: Any) -> str:
    """`document` as JSON in which every row of a table is a line, and so a changed row is one changed line.

    Lists of scalars, and objects that hold nothing but scalars and such lists, take a line; what holds them is indented
    by one space for each level. The text ends in a line break.

    Raises:
        ValueError: A number is not finite.
    """
    return _lines(document, "") + "\n"


def _lines(value: Any, indent: str) -> str:
    if isinstance(value, dict) and not all(map(_is_row, value.values())):
        items = [f"{json.dumps(key)}: {_lines(item, indent + ' ')}" for key, item in value.items()]
        return _broken("{", items, "}", indent)
    if isinstance(value, list | tuple) and not _is_row(value):
        return _broken("[", [_lines(item, indent + " ") for item in value], "]", indent)
    return json.dumps(value, allow_nan=False)


def _broken(begin: str, items: list[str], end: str, indent: str) -> str:
    return f"{begin}\n" + ",\n".join(f"{indent} {item}" for item in items) + f"\n{indent}{end}"


def _is_row(value: Any) -> bool:
    """A scalar, or a list of scalars."""
    return not isinstance(value, dict) and not (
        isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value)
    )
