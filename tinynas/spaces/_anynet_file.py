"""The format of the space file of an `AnyNetSpace`: what stem and stages choose from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tinynas.spaces._kinds import block_kind
from tinynas.spaces._tables import (
    Choices,
    Multipliers,
    PositiveInt,
    Table,
    ascending,
    check_head,
    check_parameters,
    once,
)

Downsampling = Literal["stride", "max_pool", "average_pool", "none"]
"""How a part halves the resolution: a stride of 2, a pool of 2x2 behind it (stem) or before it (stage), not at all."""

Downsamplings = Annotated[tuple[Downsampling, ...], Field(min_length=1)]


class AnyNetStemTable(Table):
    """One convolution, and what halves the resolution."""

    width: Choices
    kernel: Choices = (3,)
    downsample: Downsamplings = ("stride",)

    @model_validator(mode="after")
    def _check(self) -> AnyNetStemTable:
        ascending("width", self.width)
        check_parameters("conv", {"kernel": self.kernel})
        once("downsample", self.downsample)
        return self


class AnyNetStageTable(Table):
    """A run of blocks that are all alike; the choices hold for the stage as a whole.

    `choices` lists values for each parameter that any of its block kinds has; those without it leave it out.
    """

    block: Annotated[tuple[str, ...], Field(min_length=1)]
    width: Choices
    depth: Choices = (1,)
    downsample: Downsamplings = ("none",)
    choices: dict[str, Choices]

    @model_validator(mode="after")
    def _check(self) -> AnyNetStageTable:
        ascending("width", self.width)
        ascending("depth", self.depth)
        once("block", self.block)
        once("downsample", self.downsample)
        known = {name for kind in self.block for name in block_kind(kind).choices}
        if unknown := sorted(set(self.choices) - known):
            raise ValueError(f"no block of {', '.join(self.block)} has the parameter {unknown[0]!r}")
        for kind in self.block:
            check_parameters(kind, {name: v for name, v in self.choices.items() if name in block_kind(kind).choices})
        return self


class AnyNetHeadTable(Table):
    """The last block, from the last stage to the logits: one kind, or several to choose from."""

    block: Annotated[tuple[str, ...], Field(min_length=1)] = ("classifier",)

    @field_validator("block", mode="before")
    @classmethod
    def _one_or_several(cls, block: object) -> object:
        return (block,) if isinstance(block, str) else block

    @model_validator(mode="after")
    def _check(self) -> AnyNetHeadTable:
        once("block", self.block)
        for kind in self.block:
            check_head(kind)
        return self


class AnyNetTable(Table):
    """The whole file."""

    family: Literal["anynet"]
    name: str
    description: str
    channel_divisor: PositiveInt = 4
    width_multipliers: Multipliers = (1.0,)
    resolutions: Choices
    stem: AnyNetStemTable
    stages: Annotated[tuple[AnyNetStageTable, ...], Field(min_length=1)]
    head: AnyNetHeadTable = AnyNetHeadTable()

    @model_validator(mode="after")
    def _check(self) -> AnyNetTable:
        ascending("width_multipliers", self.width_multipliers)
        ascending("resolutions", self.resolutions)
        return self
