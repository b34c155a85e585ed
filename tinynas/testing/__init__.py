"""For tests here and in other projects: random networks, and contract test classes."""

from tinynas.testing._random_graphs import random_input, random_int8_graph

__all__ = ["random_input", "random_int8_graph"]
