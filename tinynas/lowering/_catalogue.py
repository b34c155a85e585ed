"""The closed list of kernels. Flash is predictable to the byte because nothing outside it is ever linked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tinynas.graph import OpKind
from tinynas.lowering import _depthwise_variants as depthwise
from tinynas.lowering import _dot_variants as dot
from tinynas.lowering import _packed_variants as packed
from tinynas.lowering import _paired_variants as paired
from tinynas.lowering import _unweighted_variants as unweighted
from tinynas.lowering._convolution_variant import CONV_2D
from tinynas.lowering._errors import UnsupportedGraphError
from tinynas.lowering._fully_connected_variant import (
    FULLY_CONNECTED,
    FULLY_CONNECTED_IN_FOURS,
    FULLY_CONNECTED_IN_WORDS,
)
from tinynas.lowering._half_plane_variants import HALF_PLANES, HALF_PLANES_3X3
from tinynas.lowering._quads_variant import QUADS
from tinynas.lowering._variants import KernelCall, KernelVariant

CATALOGUE: Mapping[str, KernelVariant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            FULLY_CONNECTED_IN_FOURS,
            FULLY_CONNECTED_IN_WORDS,
            FULLY_CONNECTED,
            packed.CONV_1X1_PACKED,
            packed.CONV_2D_PACKED,
            paired.CONV_1X1_PAIRED,
            paired.CONV_2D_PAIRED,
            dot.CONV_1X1,
            dot.CONV_2D_IM2COL,
            *dot.EXPANDED,
            HALF_PLANES_3X3,
            HALF_PLANES,
            QUADS,
            *depthwise.OVERLAPPED,
            *depthwise.PAIRED,
            depthwise.DEPTHWISE_CONV_2D,
            CONV_2D,
            unweighted.AVERAGE_POOL_2D,
            unweighted.MAX_POOL_2D,
            unweighted.ADD,
            unweighted.ADD_BROADCAST,
            unweighted.MUL,
            unweighted.MUL_BROADCAST,
            unweighted.REQUANTIZE,
            unweighted.CONCATENATION,
            unweighted.PAD,
            unweighted.MEAN,
            unweighted.SOFTMAX,
            unweighted.RESIZE_NEAREST_NEIGHBOR,
            unweighted.TRANSPOSE,
        )
    }
)
"""Kernel variants by name. Where several apply to an operator, the first one is used."""

_BY_KIND: Mapping[OpKind, tuple[KernelVariant, ...]] = MappingProxyType(
    {kind: tuple(v for v in CATALOGUE.values() if kind in v.kinds) for kind in OpKind}
)


def by_rule(call: KernelCall) -> Iterator[KernelVariant]:
    """The variants that can execute the call and that the local rule may choose, in the order of its preference.

    Those that are not to be linked count where there is no other.
    """
    allowed = [v for v in _BY_KIND[call.op.kind] if not v.for_speed and v.executes(call)]
    return iter([v for v in allowed if v.name not in call.unlinked] or allowed)


def select_variant(call: KernelCall) -> KernelVariant:
    """The first variant of the catalogue that can execute the call, of those that the local rule may choose.

    Raises:
        UnsupportedGraphError: There is none.
    """
    for variant in by_rule(call):
        return variant
    shapes = ", ".join(str(list(t.shape)) for t in call.operands)
    raise UnsupportedGraphError(
        f"{call.op.kind} {call.op.name!r}: no kernel of the engine covers it (inputs {shapes}, {call.op.attributes})"
    )
