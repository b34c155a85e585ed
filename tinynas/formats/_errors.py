"""The error of this package."""

from __future__ import annotations

from tinynas.errors import UsageError

_MAX_LENGTH = 400


class FormatError(UsageError):
    """A model file that cannot be read, or a graph that a format cannot express.

    The message is one line of bounded length: converters write names of many hundred characters, and the names of a
    damaged file can be anything.
    """

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else "?" for c in message)
        if len(line) > _MAX_LENGTH:
            line = f"{line[: _MAX_LENGTH // 2]} ... {line[-_MAX_LENGTH // 2 :]}"
        super().__init__(line)
