"""Any operator with a table (`OpSpec.table`), those of other packages included."""

from __future__ import annotations

from tinynas.graph import OWN_KINDS, Runtime
from tinynas.kernels._constants import StepConstants, integers
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, always, words
from tinynas.kernels._weights import quantization_of

_PARAMETERS = ParameterStructure("tn_lookup_table_params", 8)
_ENTRIES = 256


def _constant_bytes(call: KernelCall) -> int:
    return _PARAMETERS.size_bytes + words(_ENTRIES)


def _pack(call: KernelCall, name: str) -> StepConstants:
    entries = call.op.table(quantization_of(call.input), quantization_of(call.output), Runtime.LITERT)
    table = integers(f"{name}_table", "int8_t", entries)
    return StepConstants((table,), {"table": table.name, "count": call.output.elements}, {})


def _features(call: KernelCall) -> dict[str, float]:
    return {"calls": 1, "elements": call.output.elements}


LOOKUP_TABLE = KernelVariant(
    name="lookup_table",
    kinds=tuple(kind for kind in OWN_KINDS if kind.spec.table is not None),
    of_tables=True,
    source="lookup_table/lookup_table.c",
    symbol="tn_lookup_table",
    parameters=_PARAMETERS,
    applies=always,
    constant_bytes=_constant_bytes,
    pack=_pack,
    features=_features,
    loops={"elements": "output elements"},
    in_place=True,
)
