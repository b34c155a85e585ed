"""Operators as data: their kinds, their specs, those with several outputs, and those that a program adds."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

import tinynas.formats.operators as formats
from tinynas.formats import FileNode, OperatorFormat, read_tflite, register_format, write_tflite
from tinynas.graph import (
    OWN_KINDS,
    Attributes,
    DType,
    Graph,
    GraphBuilder,
    GraphError,
    Op,
    OpKind,
    OpSpec,
    Quantization,
    ReshapeAttributes,
    execute,
    infer_shape,
    infer_shapes,
    is_operator,
    list_operators,
    op_macs,
    register_operator,
    simplified,
    validate,
)
from tinynas.graph._operator import OPERATORS
from tinynas.graph.reference import Array, Node, required
from tinynas.kernels import UnsupportedGraphError
from tinynas.lowering import lower
from tinynas.plugins import OWN
from tinynas.testing import run_litert


@dataclass(frozen=True)
class UnpackAttributes(Attributes):
    """UNPACK into as many tensors as dimension `axis` is large."""

    axis: int


def _shapes(op: Op, input_shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    assert isinstance(op.attributes, UnpackAttributes)
    x, axis = input_shapes[0], op.attributes.axis
    return [(*x[:axis], *x[axis + 1 :])] * x[axis]


def _reference(node: Node, arrays: Sequence[Array | None]) -> list[Array]:
    assert isinstance(node.op.attributes, UnpackAttributes)
    axis = node.op.attributes.axis + 1
    return [np.take(required(arrays, 0), i, axis=axis) for i in range(len(node.outputs))]


def _write(op: Op, options: object) -> None:
    assert isinstance(op.attributes, UnpackAttributes)
    options.axis, options.num = op.attributes.axis, len(op.outputs)


UNPACK = OpSpec(
    name="UNPACK",
    description="the parts of a tensor along a dimension",
    support="int8",
    attributes=UnpackAttributes,
    shapes=_shapes,
    reference=_reference,
    outputs=(1, 1 << 16),
    keeps_quantization=True,
    folds=True,
)


def _read(node: FileNode) -> UnpackAttributes:
    return UnpackAttributes(node.options.axis)


@pytest.fixture
def unpack(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpKind]:
    """An operator with several outputs, known for one test."""
    monkeypatch.setattr(OPERATORS, "_members", dict(OPERATORS._members))
    monkeypatch.setattr(formats._FORMATS, "_members", dict(formats._FORMATS._members))
    kind = register_operator(UNPACK)
    register_format(OperatorFormat("UNPACK", "UnpackOptions", _read, _write, version=lambda graph, op: 1))
    yield kind
    kind._spec = None


def _unpacked(kind: OpKind, *, outputs: slice = slice(None)) -> Graph:
    """Three rows of an image, of which some are outputs."""
    builder = GraphBuilder("rows", DType.INT8)
    rows = builder.operator(kind, [builder.input((1, 3, 4, 2))], UnpackAttributes(1), name="row")
    graph = builder.build(rows[outputs])
    q = Quantization((0.1,), (3,))
    return replace(graph, tensors=tuple(replace(t, quantization=q) for t in graph.tensors))


def test_kinds_of_one_name_are_one_object() -> None:
    assert OpKind("ADD") is OpKind.ADD
    assert pickle.loads(pickle.dumps(OpKind.ADD)) is OpKind.ADD
    assert f"{OpKind.ADD}" == "ADD"


def test_all_kinds_are_the_registered_ones() -> None:
    assert [kind.spec.name for kind in OpKind] == [listed.name for listed in list_operators()]
    assert [listed.name for listed in list_operators() if listed.source == OWN] == sorted(OWN_KINDS)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"no operator 'CONV_3D'; did you mean 'CONV_2D'\?"):
        OpKind.CONV_3D  # noqa: B018
    assert not is_operator("CONV_3D")


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_every_spec_says_what_a_page_needs(kind: OpKind) -> None:
    spec = kind.spec
    assert spec.description
    assert "\n" not in spec.description + spec.support
    assert spec.support
    assert formats.has_format(kind)
    assert spec.rewritten is None or not spec.without_kernel


def test_attributes_of_another_operator_are_refused() -> None:
    with pytest.raises(TypeError, match="CONV_2D 'x' needs Conv2DAttributes, got ReshapeAttributes"):
        Op(OpKind.CONV_2D, (0,), (1,), ReshapeAttributes((1,)), "x")


def test_a_name_that_is_taken_is_refused(unpack: OpKind) -> None:
    register_operator(UNPACK)
    with pytest.raises(GraphError, match="the name 'ADD' of an operator is taken already"):
        register_operator(replace(UNPACK, name="ADD"))


def test_several_outputs_have_shapes_names_and_values_of_their_own(unpack: OpKind) -> None:
    graph = _unpacked(unpack)
    (op,) = graph.ops
    assert infer_shapes(op, [(1, 3, 4, 2)]) == ((1, 4, 2),) * 3
    assert [graph.tensors[t].name for t in op.outputs] == ["row", "row:1", "row:2"]
    assert op_macs(graph, op) == 0
    image = np.arange(-12, 12, dtype=np.int8).reshape(1, 3, 4, 2)
    values = execute(graph, [np.concatenate([image, -image])])
    for row, t in enumerate(graph.outputs):
        np.testing.assert_array_equal(values[t], np.concatenate([image, -image])[:, row])
    with pytest.raises(GraphError, match="has 3 outputs, one is expected"):
        infer_shape(op, [(1, 3, 4, 2)])


def test_several_outputs_are_written_read_and_equal_to_litert(unpack: OpKind) -> None:
    graph = _unpacked(unpack)
    content = write_tflite(graph)
    assert read_tflite(content) == graph
    image = np.arange(24, dtype=np.int8).reshape(1, 3, 4, 2)
    reference = run_litert(content, [image])
    for t, value in execute(graph, [image]).items():
        np.testing.assert_array_equal(value, reference[t])


def test_an_output_too_few_is_refused(unpack: OpKind) -> None:
    graph = _unpacked(unpack, outputs=slice(2))
    op = replace(graph.ops[0], outputs=graph.ops[0].outputs[:2])
    with pytest.raises(GraphError, match="op 0 UNPACK 'row' must have 3 outputs, has 2"):
        validate(replace(graph, ops=(op,)))
    twice = replace(graph.ops[0], outputs=(1, 2, 2))
    with pytest.raises(GraphError, match="writes tensor 2 'row:1', which has a value already"):
        validate(replace(graph, ops=(twice,)))


def test_of_constants_all_outputs_are_computed_in_advance(unpack: OpKind) -> None:
    builder = GraphBuilder("sum", DType.INT8)
    x, y = builder.input((1, 4, 2)), builder.input((1, 3, 4, 2), "rows")
    rows = builder.operator(unpack, [y], UnpackAttributes(1), name="row")
    graph = builder.build([builder.add(builder.add(x, rows[0]), rows[2])])
    q = Quantization((0.1,), (3,))
    tensors = [replace(tensor, quantization=q) for tensor in graph.tensors]
    data = np.arange(24, dtype=np.int8).reshape(1, 3, 4, 2)
    tensors[y] = replace(tensors[y], constant=True, data=data)
    graph = replace(graph, tensors=tuple(tensors), inputs=(x,))
    folded = simplified(graph)
    assert [op.kind for op in folded.ops] == [OpKind.ADD, OpKind.ADD]
    image = np.arange(8, dtype=np.int8).reshape(1, 4, 2)
    before, after = execute(graph, [image]), execute(folded, [image])
    np.testing.assert_array_equal(before[graph.outputs[0]], after[folded.outputs[0]])


def test_the_engine_says_that_kernels_write_one_output(unpack: OpKind) -> None:
    with pytest.raises(UnsupportedGraphError, match="UNPACK 'row' has 3 outputs: kernels of the engine write one"):
        lower(_unpacked(unpack))
