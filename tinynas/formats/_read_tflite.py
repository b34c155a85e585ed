"""Reads a .tflite file into a Graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._errors import FormatError
from tinynas.formats._flatbuffer import FileModel, FileOperator, FileTensor, corruption_reported, decode
from tinynas.formats._missing_operators import require_supported_operators
from tinynas.formats._operators import computed_from_constants, known_kind, operands
from tinynas.formats.operators import FileNode, format_of
from tinynas.graph import DType, Graph, GraphError, Op, OpKind, Quantization, Tensor, short_name, validate

_MAX_FILE_BYTES = 1 << 28
_MAX_TENSOR_BYTES = 1 << 30
"""No microcontroller has a tensor of 1 GB; a file that claims one is damaged or hostile."""

_DTYPES = {
    schema.TensorType.INT8: DType.INT8,
    schema.TensorType.UINT8: DType.UINT8,
    schema.TensorType.INT32: DType.INT32,
    schema.TensorType.FLOAT32: DType.FLOAT32,
}
_TYPE_NAMES = {code: name for name, code in vars(schema.TensorType).items() if not name.startswith("_")}

_CONVERT = "convert the model with full-integer int8 quantization"
_TYPE_ADVICE = {
    schema.TensorType.INT16: "16-bit activations are not supported yet: quantize them to int8",
    schema.TensorType.INT4: "4-bit weights are not supported yet: quantize them to int8",
    schema.TensorType.RESOURCE: "state between inferences is not supported yet",
    schema.TensorType.VARIANT: "state between inferences is not supported yet",
}
"""What to do about a type, where converting to int8 is not all that there is to say."""


def read_tflite(source: str | Path | bytes) -> Graph:
    """Read a .tflite file of supported operators into a graph.

    Constants that describe an operator (paddings, axes, shapes, permutations, sizes) become its attributes, tensors
    that nothing uses are left out, and the rest keeps its order. Operators are named by their output tensors. The graph
    has the operators that the file has, as TFLM runs them; `tinynas.graph.simplified` makes the one that our engine
    runs of it.

    Args:
        source: A path, or the content of a file.

    Raises:
        FormatError: The file is missing, damaged, or holds something unsupported: one line that names the file, all
            operators that are not supported, or the index and kind of the one that is wrong, and what to do.
    """
    label, content = _load(source)
    return _GraphReader(decode(content, label), label).graph()


def read_metadata(source: str | Path | bytes) -> dict[str, bytes]:
    """The metadata blobs of a .tflite file by name, for example `OfflineMemoryAllocation`.

    Raises:
        FormatError: The file is missing or damaged.
    """
    label, content = _load(source)
    return decode(content, label).metadata


def _load(source: str | Path | bytes) -> tuple[str, bytes]:
    if isinstance(source, bytes):
        return "the given bytes", source
    path = Path(source)
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise FormatError(f"{path}: larger than {_MAX_FILE_BYTES >> 20} MB, no model for a microcontroller")
        return str(path), path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from error


class _GraphReader:
    """Builds the graph of one decoded file."""

    def __init__(self, model: FileModel, label: str) -> None:
        self._model = model
        self._label = label
        self._converted: dict[int, Tensor] = {}
        self._computed = computed_from_constants(model)

    def graph(self) -> Graph:
        require_supported_operators(self._model, self._label, self._computed)
        ops = [self._op(i, operator) for i, operator in enumerate(self._model.operators)]
        if not ops:
            raise FormatError(f"{self._label}: the model has no operators")
        for what, indices in (("input", self._model.inputs), ("output", self._model.outputs)):
            for i in indices:
                self._tensor(i, f"the model's {what}")
        kept = sorted(self._converted)
        new_index = {old: new for new, old in enumerate(kept)} | {-1: -1}
        try:
            graph = Graph(
                tuple(self._converted[i] for i in kept),
                tuple(self._renumbered(op, new_index) for op in ops),
                tuple(new_index[i] for i in self._model.inputs),
                tuple(new_index[i] for i in self._model.outputs),
                self._model.name or "model",
            )
            validate(graph)
        except GraphError as error:
            raise FormatError(f"{self._label}: {error}") from error
        return graph

    @staticmethod
    def _renumbered(op: Op, new_index: dict[int, int]) -> Op:
        inputs = tuple(new_index[i] for i in op.inputs)
        return Op(op.kind, inputs, tuple(new_index[i] for i in op.outputs), op.attributes, op.name)

    def _op(self, position: int, operator: FileOperator) -> Op:
        kind = known_kind(operator)
        where = f"op {position} {kind}"
        fewest, most = kind.spec.outputs
        if not fewest <= len(operator.outputs) <= most or not operator.inputs:
            raise FormatError(
                f"{self._label}: {where} has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs"
            )
        inputs = list(operands(operator, self._computed))
        constants = self._constants(kind, operator.inputs[len(inputs) :], where)
        tensors = [self._tensor(i, where) if i != -1 else None for i in inputs]
        outputs = [self._tensor(i, where) for i in operator.outputs]
        first = tensors[0]
        if first is None:
            raise FormatError(f"{self._label}: {where} has no first input")
        if kind.spec.weights is not None and len(inputs) == 2:
            inputs.append(-1)  # an absent bias is either not listed or -1
        self._check_precision(kind, where, tensors, inputs)
        options = self._options(kind, operator, where)
        try:
            shapes = tuple(output.shape for output in outputs)
            attributes = format_of(kind).read(FileNode(options, constants, len(first.shape), shapes))
        except ValueError as error:
            raise FormatError(f"{self._label}: {where} {short_name(outputs[0].name)!r}: {error}") from error
        return Op(kind, tuple(inputs), tuple(operator.outputs), attributes, outputs[0].name)

    def _constants(self, kind: OpKind, indices: tuple[int, ...], where: str) -> list[npt.NDArray[np.int64]]:
        """The constant inputs of an operator that become attributes. Some operators may go without."""
        names = kind.spec.constant_inputs
        if len(indices) < len(names) and not kind.spec.may_compute_constants:
            raise FormatError(f"{self._label}: {where} has no {names[len(indices)]} input")
        return [self._folded(i, where, what) for i, what in zip(indices, names, strict=False)]

    def _options(self, kind: OpKind, operator: FileOperator, where: str) -> Any:
        """The options as an object; defaults where the file has none."""
        name = format_of(kind).options
        if not name:
            return None
        with corruption_reported(f"{self._label}: {where}"):
            if operator.options is None or operator.options_type == 0:
                return getattr(schema, name + "T")()
            if operator.options_type != getattr(schema.BuiltinOptions, name):
                raise FormatError(f"{self._label}: {where} has options of type {operator.options_type}, not {name}")
            table = getattr(schema, name)()
            table.Init(operator.options.Bytes, operator.options.Pos)
            return getattr(schema, name + "T").InitFromObj(table)

    def _check_precision(self, kind: OpKind, where: str, tensors: list[Tensor | None], inputs: list[int]) -> None:
        is_weighted = kind.spec.weights is not None
        first, weights = tensors[0], tensors[1] if is_weighted and len(tensors) > 1 else None
        if first is None:
            return
        if weights is not None and first.dtype is DType.FLOAT32 and weights.dtype is DType.INT8:
            raise FormatError(
                f"{self._label}: {where} has float32 activations and int8 weights (dynamic-range quantization); "
                f"{_CONVERT}"
            )
        if first.dtype is DType.UINT8 and DType.UINT8 not in kind.spec.input_types:
            raise FormatError(
                f"{self._label}: {where}: {short_name(first.name)!r} is uint8, which is supported at inputs and "
                "outputs of int8 networks only; quantize the model to int8"
            )
        for what, tensor, i in zip(("weights", "bias"), tensors[1:], inputs[1:], strict=False):
            if is_weighted and tensor is not None and tensor.data is None and i not in self._computed:
                raise FormatError(
                    f"{self._label}: {where} computes its {what} {short_name(tensor.name)!r} from activations; "
                    "weights and bias must follow from constants"
                )

    def _file_tensor(self, index: int, where: str) -> FileTensor:
        if not 0 <= index < len(self._model.tensors):
            raise FormatError(
                f"{self._label}: {where} refers to tensor {index}, the file has {len(self._model.tensors)}"
            )
        return self._model.tensors[index]

    def _folded(self, index: int, where: str, what: str) -> npt.NDArray[np.int64]:
        """The value of a constant that becomes an attribute."""
        source = self._file_tensor(index, where)
        widths = {schema.TensorType.INT32: "<i4", schema.TensorType.INT64: "<i8"}
        if source.data is None or source.type not in widths:
            raise FormatError(f"{self._label}: {where}: its {what} must be a constant int32 tensor")
        width = np.dtype(widths[source.type])
        count = math.prod(source.shape)
        if min(source.shape, default=1) < 0 or count > 16 or count * width.itemsize != source.data.nbytes:
            raise FormatError(
                f"{self._label}: {where}: the constant of its {what} is damaged ({source.data.nbytes} bytes)"
            )
        return source.data.view(width).astype(np.int64).reshape(source.shape)

    def _tensor(self, index: int, where: str) -> Tensor:
        if index not in self._converted:
            self._converted[index] = self._convert(index, self._file_tensor(index, where), where)
        return self._converted[index]

    def _convert(self, index: int, source: FileTensor, where: str) -> Tensor:
        name = f"{self._label}: {where}: tensor {index} {short_name(source.name)!r}"
        if source.refusal:
            raise FormatError(f"{name} {source.refusal}")
        if source.type not in _DTYPES:
            type_name = _TYPE_NAMES.get(source.type, f"of type {source.type}").lower()
            advice = _TYPE_ADVICE.get(source.type, f"int8, int32 and float32 are supported: {_CONVERT}")
            raise FormatError(f"{name} is {type_name}; {advice}")
        dtype = _DTYPES[source.type]
        if len(source.shape) > 8 or any(size < 1 for size in source.shape):
            raise FormatError(f"{name} has shape {list(source.shape)[:9]}; every dimension must be known and positive")
        size_bytes = math.prod(source.shape) * dtype.size_bytes
        if size_bytes > _MAX_TENSOR_BYTES:
            raise FormatError(f"{name} {list(source.shape)} would take {size_bytes} bytes: the file is damaged")
        data = None
        if source.data is not None:
            if source.data.nbytes != size_bytes:
                raise FormatError(f"{name} needs {size_bytes} bytes of data, the file has {source.data.nbytes}")
            stored = np.frombuffer(source.data.tobytes(), dtype.numpy.newbyteorder("<"))
            data = stored.astype(dtype.numpy).reshape(source.shape)
            if dtype is DType.FLOAT32 and not np.isfinite(data).all():
                raise FormatError(f"{name} holds values that are not finite numbers: train or convert the model again")
        return Tensor(source.name, source.shape, dtype, self._quantization(name, source, dtype), data is not None, data)

    @staticmethod
    def _quantization(name: str, source: FileTensor, dtype: DType) -> Quantization | None:
        scales, zero_points = source.scales, source.zero_points or (0,) * len(source.scales)
        if dtype is DType.FLOAT32:
            return None  # calibration leftovers: a float tensor is what it is
        if not scales:
            if dtype in (DType.INT8, DType.UINT8):
                raise FormatError(f"{name} is {dtype} without a scale; {_CONVERT}")
            return None
        if len(zero_points) != len(scales) or not all(0 < scale < math.inf for scale in scales):
            raise FormatError(f"{name} has a scale or zero point that is not a quantization; {_CONVERT}")
        return Quantization(scales, zero_points, source.quantized_dimension)
