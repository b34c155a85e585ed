"""What is wrong with a graph."""

from __future__ import annotations

from tinynas.errors import ModelError


class UnsupportedGraphError(ModelError):
    """The graph is valid, but our engine has no kernel for one of its operators. Names the operator."""


class MissingConstantsError(ModelError):
    """The graph is a skeleton: a constant has no data or a tensor no quantization, so there is nothing to generate."""
