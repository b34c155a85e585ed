"""The two reference runtimes behind one call each, to compare with.

Tensor indices are those of the file. A graph has the same ones if the file was written from it; `read_tflite` leaves
out what became attributes, so compare a foreign file by tensor names, or write the graph again first.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.errors import MissingExtraError

Array = npt.NDArray[Any]


def run_litert(content: bytes, inputs: Sequence[Array]) -> dict[int, Array]:
    """Every tensor of a .tflite file by index, from LiteRT's reference kernels (`BUILTIN_REF`).

    Raises:
        RuntimeError, ValueError: LiteRT refuses the file; the message is its own.
    """
    interpreters = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = interpreters.Interpreter(
        model_content=content,
        experimental_op_resolver_type=interpreters.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return {
        detail["index"]: np.array(interpreter.get_tensor(detail["index"]))
        for detail in interpreter.get_tensor_details()
        if detail["name"]  # the kernels' temporaries have none
    }


def run_tflm(content: bytes, inputs: Sequence[Array], *, arena_bytes: int = 1 << 22) -> list[Array]:
    """The outputs of a .tflite file from TFLM's reference kernels, in order.

    Raises:
        MissingExtraError: The wheel `tflite-micro` is not installed.
        RuntimeError: TFLM refuses the file.
    """
    runtime = load_tflm()
    interpreter = _invoked(runtime.Interpreter.from_bytes(content, arena_size=arena_bytes), inputs)
    count = schema.Model.GetRootAs(content, 0).Subgraphs(0).OutputsLength()
    return [np.array(interpreter.get_output(i)) for i in range(count)]


def run_tflm_tensors(content: bytes, inputs: Sequence[Array], *, arena_bytes: int = 1 << 22) -> dict[int, Array]:
    """Every tensor of a .tflite file by index, from TFLM's reference kernels; raises what `run_tflm` raises."""
    runtime = load_tflm()
    interpreter = runtime.Interpreter.from_bytes(
        content, arena_size=arena_bytes, intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors
    )
    _invoked(interpreter, inputs)
    count = schema.Model.GetRootAs(content, 0).Subgraphs(0).TensorsLength()
    return {i: np.array(interpreter.GetTensor(i, 0)["tensor_data"]) for i in range(count)}


def load_tflm() -> Any:
    """The runtime of the wheel `tflite-micro`. Raises `MissingExtraError`."""
    try:
        return importlib.import_module("tflite_micro.python.tflite_micro.runtime")
    except ImportError as error:
        raise MissingExtraError("tflite-micro", "test") from error


def _invoked(interpreter: Any, inputs: Sequence[Array]) -> Any:
    for position, values in enumerate(inputs):
        interpreter.set_input(values, position)
    interpreter.invoke()
    return interpreter
