"""The error of this package."""

from __future__ import annotations

from tinynas.errors import ModelError


class FormatError(ModelError):
    """A model file that cannot be read, or a graph that a format cannot express."""
