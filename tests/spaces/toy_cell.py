"""A space that is no chain: one cell of two nodes and three operators, its network one block."""

from __future__ import annotations

from collections.abc import Mapping

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.spaces import (
    Architecture,
    Block,
    BlockKind,
    Cell,
    Condition,
    Genotype,
    SpaceError,
    Variable,
    VariableSpace,
    register_block_kind,
)

OPERATORS = ("pool", "conv1", "conv3")
IMAGE, NODE, BOTH = 0, 1, 2
"""What the second node reads: the stem, the first node, or the sum of both."""


def operator(builder: GraphBuilder, x: int, index: int, name: str) -> int:
    if OPERATORS[index] == "pool":
        return builder.max_pool_2d(x, 3, stride=1, padding=Padding.SAME, name=f"{name}.pool")
    kernel = int(OPERATORS[index][-1])
    channels = builder.shape(x)[-1]
    return builder.conv_2d(x, channels, kernel, activation=Activation.RELU6, name=f"{name}.conv{kernel}")


def build(builder: GraphBuilder, x: int, block: Block) -> int:
    """Stem, cell and head: what the cell reads is read twice, so that it is no chain of blocks."""
    stem = builder.conv_2d(x, block.parameter("channels"), 3, stride=2, name=f"{block.name}.stem")
    reads = block.parameter("reads")
    y = stem
    if reads != IMAGE:
        y = operator(builder, stem, block.parameter("first"), f"{block.name}.first")
    if reads == BOTH:
        y = builder.add(stem, y, name=f"{block.name}.add")
    y = operator(builder, y, block.parameter("second"), f"{block.name}.second")
    y = builder.mean(y, keep_dims=True, name=f"{block.name}.mean")
    y = builder.conv_2d(y, block.parameter("classes"), 1, name=f"{block.name}.classifier")
    return builder.reshape(y, block.output_shape, name=f"{block.name}.logits")


def output_shape(_: tuple[int, ...], settings: Mapping[str, int]) -> tuple[int, ...]:
    return (1, settings["classes"])


KIND = BlockKind("toy_cell", build, {}, ("channels", "reads", "first", "second", "classes"), output_shape)
register_block_kind(KIND)


class ToyCellSpace(VariableSpace):
    """3 operators of the second node; with the first node, 2 ways to read it and 3 operators more: 3 + 2 * 9 = 21."""

    def __init__(self) -> None:
        operators = tuple(range(len(OPERATORS)))
        super().__init__(
            "toy-cell",
            [
                Variable("second.reads", (IMAGE, NODE, BOTH), False, labels=("stem", "first", "both")),
                Variable("first.operator", operators, False, (Condition(0, (NODE, BOTH)),), OPERATORS),
                Variable("second.operator", operators, False, labels=OPERATORS),
            ],
            description="two nodes, three operators",
            width_multipliers=(0.5, 1.0),
            resolutions=(8, 12),
        )

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 3, classes: int = 1000
    ) -> Architecture:
        self.check(genotype)
        if min(width, resolution, input_channels, classes) <= 0:
            raise SpaceError("every argument of a network must be positive")
        settings = dict(zip(("reads", "first", "second"), genotype, strict=True))
        shape = (1, resolution, resolution, input_channels)
        network = KIND.block("network", shape, {"channels": int(16 * width), "classes": classes, **settings})
        return Architecture((network,), shape, self.name)

    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        reads, first, second = genotype
        edges = {(2, 3)}
        if reads != NODE:
            edges.add((0, 2))
        if reads != IMAGE:
            edges |= {(0, 1), (1, 2)}
        operators = (None if reads == IMAGE else OPERATORS[first], OPERATORS[second])
        return (Cell("cell", OPERATORS, operators, frozenset(edges)),)
