"""Operators in the file: builtin codes, names, and inputs that are attributes here."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._flatbuffer import FileModel, FileOperator
from tinynas.formats.operators import has_format
from tinynas.graph import OpKind, is_operator

NAME_OF_CODE: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def builtin_code(kind: OpKind) -> int | None:
    """The code of an operator in files; None where the schema has none of its name."""
    code: int | None = getattr(schema.BuiltinOperator, kind, None)
    return code


def kind_of(operator: FileOperator) -> OpKind | None:
    """The kind of an operator of a file; None where it is unknown, or nobody says how to read it."""
    name = NAME_OF_CODE.get(operator.builtin_code, "")
    if not is_operator(name) or not has_format(OpKind(name)):
        return None
    return OpKind(name)


def known_kind(operator: FileOperator) -> OpKind:
    """The kind of an operator of a file that was found to be supported."""
    kind = kind_of(operator)
    assert kind is not None  # require_supported_operators
    return kind


def computed_from_constants(model: FileModel) -> frozenset[int]:
    """The tensors that operators compute from constants alone, or from the shape of a tensor."""
    computed: set[int] = set()
    constant = {i for i, tensor in enumerate(model.tensors) if tensor.data is not None}
    for operator in model.operators:
        kind = kind_of(operator)
        known = all(t == -1 or t in constant or t in computed for t in operator.inputs)
        if kind is not None and (kind.spec.reads_shape_only or (operator.inputs and known)):
            computed.update(operator.outputs)
    return frozenset(computed)


def operands(operator: FileOperator, computed: frozenset[int]) -> tuple[int, ...]:
    """The inputs of a known operator that are inputs in the graph as well.

    The others are attributes (`OpSpec.constant_inputs`), unless they may be inputs and are among the tensors `computed`
    from constants.
    """
    spec = known_kind(operator).spec
    if not spec.constant_inputs or (spec.may_compute_constants and computed.issuperset(operator.inputs[1:])):
        return operator.inputs
    return operator.inputs[: max(1, len(operator.inputs) - len(spec.constant_inputs))]
