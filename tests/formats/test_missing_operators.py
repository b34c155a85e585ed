"""What is said of files with operators that are not supported: all of them, and what to do instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ai_edge_litert import schema_py_generated as schema
from altered_files import altered, sparse, tensor, two_subgraphs
from refusals import refusal


def _with_operators(*names: str, custom: str | None = None) -> Callable[[Any], None]:
    """Operators of these kinds in front, without inputs and outputs: whoever reads the list looks no further."""

    def change(model: Any) -> None:
        for name in names:
            code = schema.OperatorCodeT()
            code.builtinCode = getattr(schema.BuiltinOperator, name)
            code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
            code.customCode = custom if name == "CUSTOM" else None
            operator = schema.OperatorT()
            operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes), [0], [0]
            model.operatorCodes.append(code)
            model.subgraphs[0].operators.insert(0, operator)

    return change


_STATEFUL = ("CALL_ONCE", *("VAR_HANDLE", "READ_VARIABLE") * 2, "ASSIGN_VARIABLE")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _with_operators("SUB", "GATHER", "GATHER", "SPLIT_V"),
            "not supported: GATHER (2), SPLIT_V (1), SUB (1); "
            "build the model from the operators that `tinynas list operators` names",
        ),
        (
            _with_operators("CUSTOM", "SUB", custom="ethos-u"),
            "not supported: SUB (1), custom 'ethos-u' (1); "
            "the file is compiled for an Ethos-U: give the one that Vela was given",
        ),
        (
            _with_operators("CUSTOM", custom="FlexErf"),
            "not supported: custom 'FlexErf' (1); "
            "convert the model with TFLITE_BUILTINS only, without TensorFlow's own operators",
        ),
        (
            _with_operators("WHILE"),
            "not supported: WHILE (1); export the network without control flow, loops unrolled",
        ),
        (
            _with_operators(*_STATEFUL),
            "the network keeps state between inferences (READ_VARIABLE (2), VAR_HANDLE (2), ASSIGN_VARIABLE (1), "
            "CALL_ONCE (1)), which is not supported yet; export the network without state, with all that it looks back "
            "on as its input",
        ),
        (
            _with_operators("CALL_ONCE", "GATHER", "STRIDED_SLICE"),
            "the network keeps state between inferences (CALL_ONCE (1)), which is not supported yet; nor are "
            "GATHER (1), STRIDED_SLICE (1); export the network without state, with all that it looks back on as its "
            "input",
        ),
    ],
)
def test_all_that_is_missing_is_said_at_once(change: Callable[[Any], None], line: str):
    assert refusal(altered(change)) == f"the given bytes: {line}"


def test_state_is_not_called_control_flow():
    """Streaming networks set their variables to zero in a subgraph of its own."""

    def change(model: Any) -> None:
        _with_operators(*_STATEFUL)(model)
        two_subgraphs(model)

    line = refusal(altered(change))
    assert "keeps state between inferences" in line
    assert "control flow" not in line
    assert "subgraph" not in line


def test_a_long_list_ends():
    names = [name for name in vars(schema.BuiltinOperator) if name.startswith(("S", "R")) and name != "RESHAPE"]
    line = refusal(altered(_with_operators(*names)))
    assert " more kinds (" in line


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (tensor(0, type=schema.TensorType.INT16), "16-bit activations are not supported yet"),
        (tensor(0, type=schema.TensorType.UINT8), "quantize the model to int8"),
        (tensor(0, isVariable=True), "keeps state between inferences"),
        (sparse, "without sparsity"),
    ],
)
def test_what_is_converted_is_not_to_be_converted(change: Callable[[Any], None], advice: str):
    line = refusal(altered(change))
    assert advice in line
    assert "full-integer" not in line
