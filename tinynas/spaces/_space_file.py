"""A search space as data: the format of its TOML file, checked in full before anything is computed from it."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinynas.registry import closest
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
Choices = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _ascending(what: str, values: tuple[float, ...]) -> None:
    if list(values) != sorted(set(values)):
        raise ValueError(f"{what} must be ascending without repeats, got {list(values)}")


class StemTable(_Table):
    """The first block, which has no choices."""

    block: str = "conv"
    width: PositiveInt
    stride: PositiveInt = 2
    parameters: dict[str, PositiveInt] = {"kernel": 3}

    @model_validator(mode="after")
    def _check(self) -> StemTable:
        _check_parameters(self.block, {name: (value,) for name, value in self.parameters.items()})
        return self


class StageTable(_Table):
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
        _ascending("depth", self.depth)
        _check_parameters(self.block, self.choices)
        return self


class HeadTable(_Table):
    """The last block, from the last stage to the logits."""

    block: str = "classifier"


class SpaceTable(_Table):
    """The whole file."""

    name: str
    description: str
    channel_divisor: PositiveInt = 8
    width_multipliers: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
    resolutions: Choices
    stem: StemTable
    stages: Annotated[tuple[StageTable, ...], Field(min_length=1)]
    head: HeadTable = HeadTable()

    @model_validator(mode="after")
    def _check(self) -> SpaceTable:
        _ascending("width_multipliers", self.width_multipliers)
        _ascending("resolutions", self.resolutions)
        if block_kind(self.head.block).fixed != ("classes",):
            raise ValueError(f"head.block {self.head.block!r} does not end in classes")
        return self


def _check_parameters(kind_name: str, choices: dict[str, tuple[int, ...]]) -> None:
    kind = block_kind(kind_name)
    if kind.fixed != ("out_channels", "stride"):
        raise ValueError(f"a {kind_name!r} block cannot stand in the stem or in a stage")
    for name, values in choices.items():
        if name not in kind.choices:
            raise ValueError(f"unknown parameter {name!r} of {kind_name!r}; {closest(name, kind.choices)}")
        _ascending(name, values)
        for value in values:
            if fault := kind.choices[name](value):
                raise ValueError(f"{name} = {value} {fault}")
    if missing := [name for name in kind.choices if name not in choices]:
        raise ValueError(f"{kind_name!r} also needs {', '.join(missing)}")


def shipped_names() -> list[str]:
    """Names of the search spaces that ship with the package, sorted."""
    return sorted(Path(entry.name).stem for entry in _directory().iterdir() if entry.name.endswith(".toml"))


def read_shipped(name: str) -> SpaceTable:
    """The table of a space that ships with the package."""
    return parse_space_table((_directory() / f"{name}.toml").read_text("utf-8"), name)


def read_space_table(path: Path) -> SpaceTable:
    """Read a space from a file.

    Raises:
        SpaceError: there is no such file, or it is wrong; the message says where and what to do.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"cannot read search space {path}: {error}") from error
    return parse_space_table(text, str(path))


def parse_space_table(text: str, where: str) -> SpaceTable:
    """Parse the text of a space file; `where` names it in messages."""
    try:
        return SpaceTable.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"search space {where}: not TOML: {error}") from error
    except ValidationError as error:
        raise SpaceError(f"search space {where}: {_explain(error)}") from error


def _directory() -> Any:
    return resources.files("tinynas.spaces") / "data"


def _explain(error: ValidationError) -> str:
    """The first fault in one line, with the nearest key where one is unknown."""
    first = error.errors()[0]
    location = first["loc"]
    where = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in location)
    if first["type"] == "extra_forbidden":
        table = SpaceTable if len(location) == 1 else _TABLES[str(location[0])]
        return f"unknown key {where!r}; {closest(str(location[-1]), table.model_fields)}"
    if first["type"] == "missing":
        return f"key {where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


_TABLES: dict[str, type[BaseModel]] = {"stem": StemTable, "stages": StageTable, "head": HeadTable}
