"""What tables of space files have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tinynas.registry import closest
from tinynas.spaces._kinds import block_kind

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
Choices = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
Multipliers = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]


class Table(BaseModel):
    """A table of a space file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def ascending(what: str, values: tuple[float, ...]) -> None:
    """Raise ValueError unless `values` ascend."""
    if list(values) != sorted(set(values)):
        raise ValueError(f"{what} must be ascending without repeats, got {list(values)}")


def once(what: str, values: tuple[str, ...]) -> None:
    """Raise ValueError unless `values` differ."""
    if len(set(values)) != len(values):
        raise ValueError(f"{what} must name each once, got {list(values)}")


class HeadTable(Table):
    """The last block, from the last stage to the logits."""

    block: str = "classifier"

    @model_validator(mode="after")
    def _check(self) -> HeadTable:
        check_head(self.block)
        return self


def check_head(kind_name: str) -> None:
    """Raise ValueError unless a kind of block ends in classes."""
    if block_kind(kind_name).fixed != ("classes",):
        raise ValueError(f"a {kind_name!r} block does not end in classes")


def check_parameters(kind_name: str, choices: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless `choices` has good values for every parameter of a kind of block."""
    kind = block_kind(kind_name)
    if kind.fixed != ("out_channels", "stride"):
        raise ValueError(f"a {kind_name!r} block cannot stand in the stem or in a stage")
    for name, values in choices.items():
        if name not in kind.choices:
            raise ValueError(f"unknown parameter {name!r} of {kind_name!r}; {closest(name, kind.choices)}")
        ascending(name, values)
        for value in values:
            if fault := kind.choices[name](value):
                raise ValueError(f"{name} = {value} {fault}")
    if missing := [name for name in kind.choices if name not in choices]:
        raise ValueError(f"{kind_name!r} also needs {', '.join(missing)}")
