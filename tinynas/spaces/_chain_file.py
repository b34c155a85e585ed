"""The format of the space file of a `ChainSpace`: stages of one kind of block, of which each block chooses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinynas.spaces._tables import Choices, HeadTable, Multipliers, PositiveInt, Table, ascending, check_parameters


class StemTable(Table):
    """The first block, which has no choices."""

    block: str = "conv"
    width: PositiveInt
    stride: PositiveInt = 2
    parameters: Annotated[dict[str, PositiveInt], Field(default_factory=lambda: {"kernel": 3})]

    @model_validator(mode="after")
    def _check(self) -> StemTable:
        check_parameters(self.block, {name: (value,) for name, value in self.parameters.items()})
        return self


class StageTable(Table):
    """A run of blocks of one width; the first has the stride.

    `width` is the number of output channels at a width multiplier of 1; `depth` lists the numbers of blocks to choose
    from; `choices` lists, for each parameter of the block kind, the values that each block chooses from.
    """

    block: str = "inverted_bottleneck"
    width: PositiveInt
    stride: PositiveInt = 1
    depth: Choices = (1,)
    choices: dict[str, Choices]

    @model_validator(mode="after")
    def _check(self) -> StageTable:
        ascending("depth", self.depth)
        check_parameters(self.block, self.choices)
        return self


class ChainTable(Table):
    """The whole file."""

    family: Literal["chain"] = "chain"
    name: str
    description: str
    channel_divisor: PositiveInt = 8
    width_multipliers: Multipliers
    resolutions: Choices
    stem: StemTable
    stages: Annotated[tuple[StageTable, ...], Field(min_length=1)]
    head: HeadTable = HeadTable()

    @model_validator(mode="after")
    def _check(self) -> ChainTable:
        ascending("width_multipliers", self.width_multipliers)
        ascending("resolutions", self.resolutions)
        return self
