"""STRIDED_SLICE in files."""

from __future__ import annotations

from typing import Any

from tinynas.formats.operators._format import FileNode, OperatorFormat
from tinynas.graph import Attributes, Graph, Op, StridedSliceAttributes


def _read(node: FileNode) -> Attributes:
    options, rank = node.options, node.input_rank
    if options.ellipsisMask or options.newAxisMask or options.offset:
        raise ValueError("an ellipsis, a new axis or an offset is not supported")
    begin, end, strides = (tuple(int(value) for value in constant.reshape(-1)) for constant in node.constants)
    if not len(begin) == len(end) == len(strides) <= rank:
        raise ValueError(f"begin, end and strides have {len(begin)}, {len(end)} and {len(strides)} of {rank} entries")
    # Dimensions that are not named are taken whole.
    missing = rank - len(begin)
    whole = ((1 << missing) - 1) << len(begin)
    return StridedSliceAttributes(
        begin + (0,) * missing,
        end + (0,) * missing,
        strides + (1,) * missing,
        options.beginMask | whole,
        options.endMask | whole,
        options.shrinkAxisMask & ~whole,
    )


def _write(op: Op, options: Any) -> None:
    a = op.attributes
    assert isinstance(a, StridedSliceAttributes)
    options.beginMask, options.endMask, options.shrinkAxisMask = a.begin_mask, a.end_mask, a.shrink_axis_mask


def _constants(op: Op) -> tuple[object, ...]:
    assert isinstance(op.attributes, StridedSliceAttributes)
    return (op.attributes.begin, op.attributes.end, op.attributes.strides)


def _version(graph: Graph, op: Op) -> int:
    return 1


FORMATS = (OperatorFormat("STRIDED_SLICE", "StridedSliceOptions", _read, _write, _constants, _version),)
