"""For tests here and in other projects: random networks, the reference runtimes, and contract test classes.

Contract classes need pytest and are loaded when first used; nothing else here does.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from tinynas.errors import MissingExtraError
from tinynas.testing._damaged_files import FileDamager
from tinynas.testing._disguised_graphs import disguised_graph, nchw_graph
from tinynas.testing._faulty_line import BabblingLine, FakeClock, FaultRates, FaultyLine
from tinynas.testing._float_graphs import random_float_graph
from tinynas.testing._hypothesis import int8_graphs
from tinynas.testing._random_graphs import random_input, random_int8_graph
from tinynas.testing._runtimes import run_litert, run_tflm, run_tflm_tensors
from tinynas.testing._tflm_arena import TflmArena, tflm_arena, tflm_runs_in
from tinynas.testing._transports import DamagingTransport, ScriptedTransport

if TYPE_CHECKING:
    from tinynas.testing._evaluator_contract import BaseEvaluatorTestCase
    from tinynas.testing._memory_model_contract import BaseMemoryModelTestCase
    from tinynas.testing._method_contract import BaseSearchMethodTestCase
    from tinynas.testing._operator_contract import BaseOperatorTestCase
    from tinynas.testing._shared_weights_contract import BaseSharedWeightsTestCase
    from tinynas.testing._space_contract import BaseSpaceTestCase
    from tinynas.testing._strategy_contract import BaseStrategyTestCase
    from tinynas.testing._transport_contract import BaseTransportTestCase

_CONTRACTS = {
    "BaseEvaluatorTestCase": "tinynas.testing._evaluator_contract",
    "BaseMemoryModelTestCase": "tinynas.testing._memory_model_contract",
    "BaseOperatorTestCase": "tinynas.testing._operator_contract",
    "BaseSearchMethodTestCase": "tinynas.testing._method_contract",
    "BaseSharedWeightsTestCase": "tinynas.testing._shared_weights_contract",
    "BaseSpaceTestCase": "tinynas.testing._space_contract",
    "BaseStrategyTestCase": "tinynas.testing._strategy_contract",
    "BaseTransportTestCase": "tinynas.testing._transport_contract",
}


def __getattr__(name: str) -> Any:
    if name not in _CONTRACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        pytest = importlib.import_module("pytest")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pytest", "test") from error
    module = _CONTRACTS[name]
    if module not in sys.modules:
        pytest.register_assert_rewrite(module)  # so that a broken contract shows the values, as in a test file
    return getattr(importlib.import_module(module), name)


__all__ = [
    "BabblingLine",
    "BaseEvaluatorTestCase",
    "BaseMemoryModelTestCase",
    "BaseOperatorTestCase",
    "BaseSearchMethodTestCase",
    "BaseSharedWeightsTestCase",
    "BaseSpaceTestCase",
    "BaseStrategyTestCase",
    "BaseTransportTestCase",
    "DamagingTransport",
    "FakeClock",
    "FaultRates",
    "FaultyLine",
    "FileDamager",
    "ScriptedTransport",
    "TflmArena",
    "disguised_graph",
    "int8_graphs",
    "nchw_graph",
    "random_float_graph",
    "random_input",
    "random_int8_graph",
    "run_litert",
    "run_tflm",
    "run_tflm_tensors",
    "tflm_arena",
    "tflm_runs_in",
]
