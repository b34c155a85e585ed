"""What a network is like, in a few figures: what choices come to together, for models that learn from few scores."""

from __future__ import annotations

import math
from typing import NamedTuple

from tinynas.graph import OpKind, count_macs, count_params
from tinynas.spaces._block import Architecture, Block, cached_by_signature
from tinynas.spaces._graphs import build_block_graph


class _Sums(NamedTuple):
    """Of one block; those of a network are their sums."""

    macs: int = 0
    params: int = 0
    activations: int = 0
    depth: int = 0
    spatial: int = 0
    depthwise: int = 0
    shortcuts: int = 0
    features: int = 0


def describe(architecture: Architecture) -> dict[str, float]:
    """What a network is like.

    Radosavovic et al. 2020 ("Designing Network Design Spaces", section 3) find the accuracy of networks explained by a
    few figures like these: a model of them needs fewer networks to learn from than one of the choices themselves.

    Returns:
        `macs`, `params` and `activations` (elements that convolutions give), as natural logarithms; `resolution`, the
        mean over blocks of log2 of the side of what they give, weighted by their MACs; `depth`, convolutions one after
        the other, the head's included, and of these those with a kernel above 1x1, `spatial`; `depthwise`, the share
        of depthwise ones; `shortcuts`; of what the last block reads, `last_resolution` and `last_width`, as log2 of
        side and channels; `features`, log2 of how many values each class score is a sum of.
    """
    sums = [_sums(block) for block in architecture.blocks]
    total = _Sums(*map(sum, zip(*sums, strict=True)))
    *body, head = architecture.blocks
    last = head.input_shape
    resolution = sum(
        one.macs * math.log2(block.output_shape[1]) for block, one in zip(body, sums[:-1], strict=True)
    ) / max(1, total.macs)
    return {
        "macs": math.log(max(1, total.macs)),
        "params": math.log(max(1, total.params)),
        "activations": math.log(max(1, total.activations)),
        "resolution": resolution,
        "depth": float(total.depth),
        "spatial": float(total.spatial),
        "depthwise": total.depthwise / max(1, total.depth),
        "shortcuts": float(total.shortcuts),
        "last_resolution": math.log2(last[1]),
        "last_width": math.log2(last[-1]),
        "features": math.log2(max(1, sums[-1].features)),
    }


def _sums_of(block: Block) -> _Sums:
    graph = build_block_graph(block)
    convolutions = [op for op in graph.ops if op.spec.is_convolution]
    return _Sums(
        count_macs(graph),
        count_params(graph),
        sum(math.prod(graph.tensor(op.outputs[0]).shape) for op in convolutions),
        len(convolutions),
        sum(math.prod(graph.tensor(op.inputs[1]).shape[1:3]) > 1 for op in convolutions),
        sum(op.kind is OpKind.DEPTHWISE_CONV_2D for op in convolutions),
        sum(op.kind is OpKind.ADD for op in graph.ops),
        math.prod(graph.tensor(convolutions[-1].inputs[1]).shape[1:]) if convolutions else 0,
    )


_sums = cached_by_signature(_sums_of)
