"""What is wrong with a graph."""

from __future__ import annotations

from tinynas.errors import ModelError


class GraphError(ModelError):
    """A graph that no runtime could execute: dangling tensors, wrong shapes, an operator before its inputs."""
