"""Layers that may end a streamed segment by adding the rows of an image to sums, as they come.

Global average pooling, and a fully connected layer of a whole image, need no row once they have added it. So the last
image of a network need not exist either: a segment may run into the head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinynas.graph import Op
from tinynas.kernels import CATALOGUE, KernelCall, PartialSums, by_rule
from tinynas.lowering._storage import root_of

_SUMMING = frozenset(kind for kernel in CATALOGUE.values() if kernel.keeps_sums for kind in kernel.kinds)


def may_sum(op: Op) -> bool:
    """Whether operators of its kind can add rows to sums."""
    return op.kind in _SUMMING


def summed_image(call: KernelCall, inputs: Sequence[int], alias: Mapping[int, int]) -> int | None:
    """The image of which a layer can add rows to sums; None if it cannot.

    Args:
        call: The layer as a whole.
        inputs: The activations that it reads.
        alias: Outputs of RESHAPE -> their inputs. A fully connected layer reads an image through it.
    """
    if not may_sum(call.op) or len(inputs) != 1:
        return None
    image = root_of(alias, inputs[0]) if call.op.weights is not None else inputs[0]
    shape = call.graph.tensors[image].shape
    if len(shape) != 4 or shape[0] != 1 or shape[1] == 1:
        return None
    one_call = summing(call, image, shape[1], PartialSums(begins=True, ends=True))
    return image if any(by_rule(one_call)) else None


def summing(call: KernelCall, image: int, rows: int, sums: PartialSums) -> KernelCall:
    """The call that adds so many rows of an image."""
    return replace(
        call, source=image, input_rows=rows, output_rows=None, sums=sums, input_dies=False, input_alone=False
    )
