"""The space of the table: two stages, each with a block kind, a width and a depth; 3^6 = 729 networks."""

from __future__ import annotations

from typing import Any

from tinynas.spaces import Architecture, Block, Cell, Genotype, SpaceError, Variable, VariableSpace, block_kind

KINDS = ("depthwise_separable", "inverted_bottleneck", "conv")
"""By the value of a stage's first variable, from the fewest multiply-accumulates to the most."""

WIDTHS = ((8, 12, 16), (16, 24, 32))
"""Channels that each stage may have."""

DEPTHS = (1, 2, 3)
"""Blocks that each stage may have."""

RESOLUTION = 14
"""Side of the input in pixels."""

_STEM_CHANNELS = 8
_CHOICES: dict[str, dict[str, int]] = {
    "depthwise_separable": {"kernel": 3},
    "inverted_bottleneck": {"kernel": 3, "expansion": 3},
    "conv": {"kernel": 3},
}


class TableSpace(VariableSpace):
    """Stem of one 3x3 convolution, two stages, classifier; the stem and the second stage halve the resolution.

    Blocks of a stage are all of one kind: 3x3 kernels, expansion 3.
    """

    def __init__(self) -> None:
        variables: list[Variable] = []
        for number, widths in enumerate(WIDTHS, start=1):
            variables += [
                Variable(f"stage{number}.kind", tuple(range(len(KINDS))), ordinal=False, labels=KINDS),
                Variable(f"stage{number}.width", widths),
                Variable(f"stage{number}.depth", DEPTHS),
            ]
        super().__init__("two-stages", variables, description="the 729 networks of a table", resolutions=(RESOLUTION,))

    def decode(
        self,
        genotype: Genotype,
        width: float = 1.0,
        resolution: int = RESOLUTION,
        input_channels: int = 1,
        classes: int = 10,
    ) -> Architecture:
        """See `SearchSpace.decode`; the table has width 1 and `RESOLUTION` only."""
        self.check(genotype)
        if min(width, resolution, input_channels, classes) <= 0:
            raise SpaceError("every size of a network must be positive")
        shape = (1, resolution, resolution, input_channels)
        blocks: list[Block] = []

        def append(name: str, kind: str, settings: dict[str, int]) -> None:
            blocks.append(block_kind(kind).block(name, blocks[-1].output_shape if blocks else shape, settings))

        append("stem", "conv", {"out_channels": _STEM_CHANNELS, "stride": 2, "kernel": 3})
        for number in range(len(WIDTHS)):
            kind, channels, depth = genotype[3 * number : 3 * number + 3]
            for i in range(depth):
                settings = {"out_channels": round(width * channels), "stride": 2 if number > 0 and i == 0 else 1}
                append(f"stage{number + 1}.block{i + 1}", KINDS[kind], {**settings, **_CHOICES[KINDS[kind]]})
        append("head", "classifier", {"classes": classes})
        return Architecture(tuple(blocks), shape, self.name)

    def structure(self, genotype: Genotype) -> tuple[Cell, ...]:
        """Each block is a cell of one operator; one beyond the depth is passed by."""
        cells: list[Cell] = []
        for number, widths in enumerate(WIDTHS):
            kind, channels, depth = genotype[3 * number : 3 * number + 3]
            vocabulary = tuple(f"{name} {channels}" for name in KINDS for channels in widths)
            for i in range(DEPTHS[-1]):
                operator = f"{KINDS[kind]} {channels}" if i < depth else None
                edges = {(0, 2)} if operator is None else {(0, 1), (1, 2)}
                cells.append(Cell(f"stage{number + 1}.block{i + 1}", vocabulary, (operator,), frozenset(edges)))
        return tuple(cells)

    def definition(self) -> dict[str, Any]:
        """See `SearchSpace.definition`."""
        return {**super().definition(), "stem_channels": _STEM_CHANNELS, "choices": _CHOICES}
