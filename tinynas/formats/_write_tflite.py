"""Writes a Graph as a .tflite file through the schema classes: no converter, deterministic bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._errors import FormatError
from tinynas.formats._operators import builtin_code
from tinynas.formats.operators import format_of
from tinynas.graph import DType, Graph, GraphError, Op, Quantization, Tensor, validate

_TYPES = {
    DType.INT8: schema.TensorType.INT8,
    DType.UINT8: schema.TensorType.UINT8,
    DType.INT32: schema.TensorType.INT32,
    DType.FLOAT32: schema.TensorType.FLOAT32,
}


def write_tflite(graph: Graph, path: str | Path | None = None, *, metadata: Mapping[str, bytes] | None = None) -> bytes:
    """Serialize `graph` as a .tflite file that LiteRT and TFLM load.

    Tensor indices in the file are those of the graph; constants that describe operators (paddings, axes, ...) follow,
    and a bias of zeros where CONV_2D has none, which LiteRT insists on. The same graph gives the same bytes.

    Args:
        graph: A float32 graph, or an int8 graph with quantization; every constant with data.
        path: Where to write the file, atomically; None returns the bytes only.
        metadata: Blobs by name to store in the file, for example `OfflineMemoryAllocation`.

    Returns:
        The content of the file.

    Raises:
        FormatError: The graph is not valid, a constant has no data, or a tensor of int8 or uint8 no quantization.
    """
    try:
        validate(graph)
    except GraphError as error:
        raise FormatError(f"cannot write {graph.name!r}: {error}") from error
    content = _ModelWriter(graph, metadata or {}).content()
    if path is not None:
        _replace(Path(path), content)
    return content


def _replace(path: Path, content: bytes) -> None:
    """Write beside the target and rename, so that no reader ever sees half a file."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}") from error


_LARGEST_DEPRECATED_CODE = schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the generated schema is untyped
    """A buffer whose bytes start at a multiple of 16 in the file: TFLM reads int32 biases in place."""

    def Pack(self, builder: Any) -> Any:
        content = None
        if self.data is not None:
            builder.Prep(16, len(self.data))
            content = builder.CreateByteVector(self.data)
        schema.BufferStart(builder)
        if content is not None:
            schema.BufferAddData(builder, content)
        return schema.BufferEnd(builder)


class _ModelWriter:
    """Fills the schema's objects for one graph."""

    def __init__(self, graph: Graph, metadata: Mapping[str, bytes]) -> None:
        self._graph = graph
        self._metadata = metadata
        # Buffer 0 is empty by convention; activations refer to it.
        self._buffers = [_AlignedBuffer()]
        self._codes: list[tuple[int, int]] = []
        self._tensors: list[Any] = []

    def content(self) -> bytes:
        self._tensors = [self._tensor(tensor) for tensor in self._graph.tensors]
        subgraph = schema.SubGraphT()
        subgraph.operators = [self._operator(op) for op in self._graph.ops]
        subgraph.tensors = self._tensors
        subgraph.inputs, subgraph.outputs = list(self._graph.inputs), list(self._graph.outputs)
        subgraph.name = self._graph.name
        model = schema.ModelT()
        model.version = 3
        model.description = "TinyNAS"
        model.subgraphs = [subgraph]
        model.metadata = [self._metadata_entry(name) for name in sorted(self._metadata)]
        model.operatorCodes = [self._operator_code(code, version) for code, version in self._codes]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _buffer(self, content: bytes) -> int:
        buffer = _AlignedBuffer()
        buffer.data = content
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def _tensor(self, source: Tensor) -> Any:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = source.name, list(source.shape), _TYPES[source.dtype]
        tensor.hasRank = True
        if source.constant:
            if source.data is None:
                raise FormatError(f"cannot write {self._graph.name!r}: constant {source.name!r} has no data")
            little_endian = source.data.astype(source.dtype.numpy.newbyteorder("<"))
            tensor.buffer = self._buffer(little_endian.tobytes())
        if source.quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array(source.quantization.scales, np.float32)
            tensor.quantization.zeroPoint = np.array(source.quantization.zero_points, np.int64)
            tensor.quantization.quantizedDimension = source.quantization.axis
        elif source.dtype in (DType.INT8, DType.UINT8):
            raise FormatError(
                f"cannot write {self._graph.name!r}: {source.dtype} tensor {source.name!r} has no quantization"
            )
        return tensor

    def _extra(self, tensor: Tensor) -> int:
        self._tensors.append(self._tensor(tensor))
        return len(self._tensors) - 1

    def _zero_bias(self, op: Op) -> int:
        """LiteRT refuses a CONV_2D without a bias, so the file gets one of zeros."""
        x, weights = (self._graph.tensors[i] for i in op.inputs[:2])
        dtype = DType.FLOAT32 if x.dtype is DType.FLOAT32 else DType.INT32
        quantization = None
        if x.quantization is not None and weights.quantization is not None:
            scales = tuple(x.quantization.scale * scale for scale in weights.quantization.scales)
            quantization = Quantization(scales, (0,) * len(scales))
        zeros = np.zeros(weights.shape[0], dtype.numpy)
        return self._extra(Tensor(f"{op.name}/bias", zeros.shape, dtype, quantization, True, zeros))

    def _operator(self, op: Op) -> Any:
        operator, written_as = schema.OperatorT(), format_of(op.kind)
        number = builtin_code(op.kind)
        if number is None:
            raise FormatError(f"cannot write {self._graph.name!r}: {op.kind} {op.name!r} is no operator of the schema")
        code = (number, written_as.version(self._graph, op))
        if code not in self._codes:
            self._codes.append(code)
        operator.opcodeIndex = self._codes.index(code)
        # LiteRT wants an absent bias left out, not listed as -1.
        operator.inputs, operator.outputs = [i for i in op.inputs if i >= 0], list(op.outputs)
        if op.weights is not None and op.weights.bias_in_files and len(operator.inputs) == 2:
            operator.inputs.append(self._zero_bias(op))
        for what, value in zip(op.spec.constants_of_file(op), written_as.constants(op), strict=False):
            constant = np.array(value, np.int32)
            tensor = Tensor(f"{op.name}/{what}", constant.shape, DType.INT32, None, True, constant)
            operator.inputs.append(self._extra(tensor))
        if written_as.options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, written_as.options)
            operator.builtinOptions = getattr(schema, written_as.options + "T")()
            written_as.write(op, operator.builtinOptions)
        return operator

    def _operator_code(self, code: int, version: int) -> Any:
        operator_code = schema.OperatorCodeT()
        # Older runtimes read the deprecated 8-bit field, which says 127 for all codes from there on.
        operator_code.builtinCode, operator_code.deprecatedBuiltinCode = code, min(code, _LARGEST_DEPRECATED_CODE)
        operator_code.version = version
        return operator_code

    def _metadata_entry(self, name: str) -> Any:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, self._buffer(self._metadata[name])
        return entry
