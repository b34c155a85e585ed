"""Search spaces as data: TOML files, checked in full before anything is computed from them."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tinynas.registry import closest
from tinynas.spaces._anynet_file import AnyNetTable
from tinynas.spaces._chain_file import ChainTable
from tinynas.spaces._errors import SpaceError

SpaceTable = ChainTable | AnyNetTable
"""The content of a space file; its key `family` says which, "chain" where it is missing."""

TABLES: dict[str, type[ChainTable] | type[AnyNetTable]] = {"chain": ChainTable, "anynet": AnyNetTable}
"""By the family of the space."""


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
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"search space {where}: not TOML: {error}") from error
    family = content.get("family", "chain")
    if not isinstance(family, str) or family not in TABLES:
        raise SpaceError(f"search space {where}: unknown family {family!r}; {closest(str(family), TABLES)}")
    try:
        return TABLES[family].model_validate(content)
    except ValidationError as error:
        raise SpaceError(f"search space {where}: {_explain(error, TABLES[family])}") from error


def _directory() -> Any:
    return resources.files("tinynas.spaces") / "data"


def _explain(error: ValidationError, table: type[BaseModel]) -> str:
    """The first fault in one line, with the nearest key where one is unknown."""
    first = error.errors()[0]
    location = first["loc"]
    where = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in location)
    if first["type"] == "extra_forbidden":
        return f"unknown key {where!r}; {closest(str(location[-1]), _table_at(table, location).model_fields)}"
    if first["type"] == "missing":
        return f"key {where!r} is missing"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _table_at(table: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The table that holds the key at `location`."""
    for part in location[:-1]:
        if isinstance(part, str):
            table = _model_in(table.model_fields[part].annotation)
    return table


def _model_in(annotation: Any) -> type[BaseModel]:
    """The table that a field holds, itself or as the elements of a tuple."""
    while not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        annotation = get_args(annotation)[0]
    return annotation
