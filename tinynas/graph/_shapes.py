"""Shape inference: the rule of each operator is in its spec."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph._errors import GraphError
from tinynas.graph._names import short_name
from tinynas.graph._operator import Op, Shape


def shape_error(op: Op, message: str) -> GraphError:
    """An error about the shapes of `op`, which it names."""
    return GraphError(f"{op.kind} {short_name(op.name)!r}: {message}")


def require_rank(op: Op, what: str, shape: Shape, rank: int) -> None:
    """Refuse a tensor of another number of dimensions.

    Raises:
        GraphError: It has another; the message names the operator, and the tensor by `what`.
    """
    if len(shape) != rank:
        raise shape_error(op, f"{what} must have {rank} dimensions, got {list(shape)}")


def infer_shapes(op: Op, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
    """Shapes of the outputs of `op`.

    Args:
        op: The operator.
        input_shapes: One shape per entry of `op.inputs`; for an absent bias (-1) any value.

    Raises:
        GraphError: The shapes do not fit the operator; the message names the operator and the shapes.
    """
    minimum, maximum = op.spec.inputs
    if not minimum <= len(input_shapes) <= maximum:
        raise shape_error(op, f"takes {minimum} to {maximum} inputs, got {len(input_shapes)}")
    inferred = op.spec.shapes(op, input_shapes)
    shapes = tuple(inferred) if isinstance(inferred, list) else (inferred,)
    empty = next((shape for shape in shapes if any(size < 1 for size in shape)), None)
    if empty is not None:
        raise shape_error(op, f"input {list(input_shapes[0])} leaves an empty output {list(empty)}")
    return shapes


def infer_shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    """Shape of the output of an operator that has one; arguments and errors as `infer_shapes`."""
    shapes = infer_shapes(op, input_shapes)
    if len(shapes) != 1:
        raise shape_error(op, f"has {len(shapes)} outputs, one is expected")
    return shapes[0]
