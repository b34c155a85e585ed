"""Names of operators and tensors for a reader."""

from __future__ import annotations

_LONGEST = 40


def short_name(name: str) -> str:
    """A name for a table: converters join the names of all that they fused with semicolons.

    The last 40 characters of the first name, which tell layers apart.
    """
    first = name.split(";")[0]
    return first if len(first) <= _LONGEST else "…" + first[1 - _LONGEST :]
