"""The error of this package."""

from __future__ import annotations

from tinynas.errors import UsageError


class FormatError(UsageError):
    """A model file that cannot be read, or a graph that a format cannot express."""
