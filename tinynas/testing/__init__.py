"""For tests here and in other projects: random networks, the reference runtimes, and contract test classes.

Contract classes live in private modules of their own (`_strategies`), because they import pytest.
"""

from tinynas.testing._damaged_files import FileDamager
from tinynas.testing._float_graphs import random_float_graph
from tinynas.testing._hypothesis import int8_graphs
from tinynas.testing._random_graphs import random_input, random_int8_graph
from tinynas.testing._runtimes import run_litert, run_tflm, run_tflm_tensors
from tinynas.testing._tflm_arena import TflmArena, tflm_arena, tflm_runs_in

__all__ = [
    "FileDamager",
    "TflmArena",
    "int8_graphs",
    "random_float_graph",
    "random_input",
    "random_int8_graph",
    "run_litert",
    "run_tflm",
    "run_tflm_tensors",
    "tflm_arena",
    "tflm_runs_in",
]
