"""The addresses that a kernel is called with: they lie in flash, in one table for the whole network.

A call that spells its addresses out takes as many bytes as the compiler makes of them: it shares what two addresses
have in common, and places literals where they reach. Read from a table, they take a pointer each, and every call is
one branch. So the flash of a network follows from its steps, with any compiler, in patches too.
"""

from __future__ import annotations

from tinynas.graph import OpKind
from tinynas.kernels import POINTER, KernelCall, KernelVariant


def operand_positions(call: KernelCall) -> range:
    """The positions of the operator's inputs that its kernel is given the addresses of.

    CONCATENATION has a table of its own for them: there may be any number. Weights belong to the parameters.
    """
    if call.op.kind is OpKind.CONCATENATION:
        return range(0)
    return range(1 if call.op.weights is not None else len(call.op.inputs))


def address_bytes(variant: KernelVariant, call: KernelCall) -> int:
    """Flash of a step's entries in the table: parameters, operands, output, and scratch where the kernel has some."""
    return POINTER * (2 + len(operand_positions(call)) + (variant.scratch_bytes(call) > 0))
