"""Decodes the bytes of a .tflite file into plain values, trusting nothing in them.

The Python flatbuffers runtime verifies nothing: an offset may point anywhere, a length may be anything, and many
offsets may point at one large table. So only the fields that are needed are read, every vector is paid for from a
budget proportional to the file, and whatever the runtime raises on the way is turned into `FormatError` here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._errors import FormatError

_SCHEMA_VERSION = 3
"""Of every .tflite file: `TFLITE_SCHEMA_VERSION`, tensorflow/lite/version.h. LiteRT refuses others."""

_MAX_OPERATOR_VERSION = 1 << 8
"""Operators have some dozen versions. Which one a file names says nothing that its options do not say."""

_MAX_RECORDS = 1 << 16
"""Networks for microcontrollers have some hundred tensors and operators."""


@dataclass(frozen=True)
class FileTensor:
    """A tensor record; `data` is None unless its buffer holds bytes."""

    name: str
    shape: tuple[int, ...]
    type: int
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int
    data: npt.NDArray[np.uint8] | None
    refusal: str | None
    """Why a graph cannot hold this tensor, if it uses a feature of the format that is not supported."""


@dataclass(frozen=True)
class FileOperator:
    """An operator record; `options` is the union's table or None, `custom_name` what a CUSTOM one is called."""

    builtin_code: int
    custom_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: int
    options: Any


@dataclass(frozen=True)
class FileModel:
    """The first subgraph of a file, how many it has, and the file's metadata blobs by name."""

    name: str
    subgraphs: int
    tensors: tuple[FileTensor, ...]
    operators: tuple[FileOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, bytes]


@contextmanager
def corruption_reported(label: str) -> Iterator[None]:
    """Turns what the flatbuffers runtime raises on damaged files into one line."""
    try:
        yield
    except FormatError:
        raise
    except (struct.error, IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise FormatError(
            f"{label}: the file is damaged or cut off ({type(error).__name__} while decoding); convert or copy it again"
        ) from error


def decode(content: bytes, label: str) -> FileModel:
    """Decode a .tflite file.

    Args:
        content: The whole file.
        label: What to call it in messages.

    Raises:
        FormatError: It is not a .tflite file, or it is damaged.
    """
    if len(content) < 8 or content[4:8] != b"TFL3":
        raise FormatError(f"{label}: not a .tflite file (no TFL3 identifier)")
    with corruption_reported(label):
        return _Decoder(content, label).model()


class _Decoder:
    """Walks the tables of one file."""

    def __init__(self, content: bytes, label: str) -> None:
        self._label = label
        self._root = schema.Model.GetRootAs(content, 0)
        # Honest files store each vector once; sharing (strings, shapes) saves them a small factor at most.
        self._budget = 16 * len(content)

    def model(self) -> FileModel:
        version = self._root.Version()
        if version != _SCHEMA_VERSION:
            raise FormatError(
                f"{self._label}: the file is damaged (schema version {version}, all files have {_SCHEMA_VERSION}); "
                "convert or copy it again"
            )
        count = self._root.SubgraphsLength()
        if not count:
            raise FormatError(f"{self._label}: the file is damaged (it holds no network); convert or copy it again")
        graph = self._root.Subgraphs(0)
        codes = [self._operator_code(i) for i in range(self._records(self._root.OperatorCodesLength()))]
        return FileModel(
            self._text(graph.Name()),
            count,
            tuple(self._tensor(graph.Tensors(i), i) for i in range(self._records(graph.TensorsLength()))),
            tuple(self._operator(graph.Operators(i), codes) for i in range(self._records(graph.OperatorsLength()))),
            self._integers(graph.InputsAsNumpy),
            self._integers(graph.OutputsAsNumpy),
            self._metadata(),
        )

    def _pay(self, count: int, size: int) -> int:
        self._budget -= count * size
        if self._budget < 0:
            raise FormatError(f"{self._label}: the file is damaged (its vectors are longer than the file)")
        return count

    def _records(self, count: int) -> int:
        if count > _MAX_RECORDS:
            raise FormatError(f"{self._label}: claims {count} tensors or operators: the file is damaged")
        return self._pay(count, 4)

    def _text(self, value: bytes | None) -> str:
        """A name. Whatever a terminal or a figure would take for a command becomes a question mark."""
        self._pay(len(value or b""), 1)
        text = (value or b"").decode("utf-8", "replace")
        return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)

    def _array(self, accessor: Callable[[], Any]) -> npt.NDArray[Any]:
        """A vector through its `...AsNumpy` accessor, which gives the integer 0 for an absent one."""
        value = accessor()
        if not isinstance(value, np.ndarray):
            return np.zeros(0, np.int32)
        self._pay(value.size, value.itemsize)
        return value

    def _integers(self, accessor: Callable[[], Any]) -> tuple[int, ...]:
        return tuple(int(value) for value in self._array(accessor))

    def _operator_code(self, index: int) -> tuple[int, str]:
        """Builtin code, and the name of a custom operator."""
        code = self._root.OperatorCodes(index)
        if not 0 < code.Version() <= _MAX_OPERATOR_VERSION:
            raise FormatError(
                f"{self._label}: the file is damaged (operator code {index} has version {code.Version()}); convert or "
                "copy it again"
            )
        # Files from before schema version 3a only have the 8-bit field; newer ones have both.
        builtin = max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))
        return builtin, self._text(code.CustomCode()) if builtin == schema.BuiltinOperator.CUSTOM else ""

    def _operator(self, operator: Any, codes: list[tuple[int, str]]) -> FileOperator:
        code, custom_name = codes[operator.OpcodeIndex()]
        return FileOperator(
            code,
            custom_name,
            self._integers(operator.InputsAsNumpy),
            self._integers(operator.OutputsAsNumpy),
            operator.BuiltinOptionsType(),
            operator.BuiltinOptions(),
        )

    def _tensor(self, tensor: Any, index: int) -> FileTensor:
        quantization = tensor.Quantization()
        scales: npt.NDArray[Any] = np.zeros(0, np.float32)
        zero_points: tuple[int, ...] = ()
        axis, refusal = 0, None
        if quantization is not None:
            scales = self._array(quantization.ScaleAsNumpy)
            zero_points = self._integers(quantization.ZeroPointAsNumpy)
            axis = quantization.QuantizedDimension()
            if quantization.DetailsType():
                refusal = "uses custom or blockwise quantization: quantize the model per channel or per tensor"
        if tensor.IsVariable():
            refusal = "is a variable: the network keeps state between inferences, which is not supported yet"
        if tensor.Sparsity() is not None:
            refusal = "is stored sparse: convert the model without sparsity"
        if tensor.ExternalBuffer():
            refusal = "has its data in another file: convert the model into one file"
        return FileTensor(
            self._text(tensor.Name()),
            self._integers(tensor.ShapeAsNumpy),
            tensor.Type(),
            tuple(float(scale) for scale in scales),
            zero_points,
            axis,
            self._buffer(tensor.Buffer(), f"tensor {index}"),
            refusal,
        )

    def _buffer(self, index: int, owner: str) -> npt.NDArray[np.uint8] | None:
        count = self._root.BuffersLength()
        if not 0 <= index < count:
            raise FormatError(f"{self._label}: {owner} has buffer {index}, the file has {count}")
        buffer = self._root.Buffers(index)
        if buffer.Offset() > 1 or buffer.Size() > 1:
            raise FormatError(f"{self._label}: {owner} has its data behind the flatbuffer (a file above 2 GB)")
        data = self._array(buffer.DataAsNumpy)
        return data if data.size else None

    def _metadata(self) -> dict[str, bytes]:
        blobs = {}
        for i in range(self._records(self._root.MetadataLength())):
            entry = self._root.Metadata(i)
            name = self._text(entry.Name())
            data = self._buffer(entry.Buffer(), f"metadata {name!r}")
            blobs[name] = b"" if data is None else data.tobytes()
        return blobs
