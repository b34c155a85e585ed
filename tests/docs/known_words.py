"""Names that documentation may use besides those of the package: keys, values, kernels, and what C defines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from ai_edge_litert import schema_py_generated as schema
from pages import ROOT
from pydantic import BaseModel

from tinynas.evaluation import evaluator, list_evaluators
from tinynas.kernels import CATALOGUE
from tinynas.pipeline import RunConfig
from tinynas.search import list_strategies, method, method_names, strategy
from tinynas.spaces import HAND_MADE, block_kind, list_block_kinds, space_names
from tinynas.spaces._anynet_file import AnyNetTable
from tinynas.spaces._chain_file import ChainTable
from tinynas.spaces.encodings import encoding_names
from tinynas.targets import CORES, Board, board_names

SECTIONS_OF_FILES: tuple[type[BaseModel], ...] = (RunConfig, Board, ChainTable, AnyNetTable)


def models_within(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's annotation holds, itself or as the elements of a tuple or an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_within(argument)


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Every key of a TOML file, those of its sections as `section.key`."""
    for name, field in model.model_fields.items():
        yield name
        for section in models_within(field.annotation):
            yield from (f"{name}.{key}" for key in keys(section))


@cache
def toml_keys() -> frozenset[str]:
    """Keys of run configurations, boards and search spaces, dotted."""
    return frozenset(key for model in SECTIONS_OF_FILES for key in keys(model))


@cache
def values() -> frozenset[str]:
    """What those files name: boards, cores, spaces, block kinds, strategies, evaluators, what these have; encodings,
    kernels and networks that are scaled by hand. Operators are those of the TFLite schema."""
    kinds = [kind.name for kind in list_block_kinds() if kind.source == "tinynas"]
    choices = (choice for kind in kinds for choice in block_kind(kind).choices)
    strategies = [entry.name for entry in list_strategies() if entry.source == "tinynas"]
    evaluators = [entry.name for entry in list_evaluators() if entry.source == "tinynas"]
    classes = (
        *(method(name).options for name in method_names()),
        *(strategy(name).options for name in strategies),
        *(evaluator(name).options for name in evaluators),
    )
    fields = {name: field for each in classes for name, field in each.model_fields.items()}
    options = (*fields, *(value for field in fields.values() for value in get_args(field.annotation)))
    parts = (*kinds, *choices, *method_names(), *strategies, *evaluators, *options)
    names = (*board_names(), *CORES, *space_names(), *parts, *encoding_names(), *CATALOGUE, *HAND_MADE, *_operators())
    return frozenset(name for name in names if isinstance(name, str))


def _operators() -> list[str]:
    return [name for name in vars(schema.BuiltinOperator) if not name.startswith("_")]


@cache
def entry_point_groups() -> frozenset[str]:
    """Groups of entry points, from where the package looks them up."""
    sources = (path.read_text("utf-8") for path in (ROOT / "tinynas").rglob("*.py"))
    found = (re.findall(r'(?:\bPlugins\(|\bgroup=|^GROUP = )"(tinynas\.\w+)"', text, re.MULTILINE) for text in sources)
    return frozenset(group for groups in found for group in groups)


@cache
def packages() -> frozenset[str]:
    """The extras of the package, and the packages that it and they need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(requirement for extra in extras.values() for requirement in extra)]
    return frozenset((*extras, *(re.split(r"[<>=]", requirement)[0] for requirement in requirements)))


@cache
def c_names() -> frozenset[str]:
    """Identifiers of the firmware and of the templates of generated code, comments left out; linker sections too."""
    sources = [path for path in (ROOT / "firmware").rglob("*") if path.suffix in {".c", ".h", ".j2"}]
    sources += (ROOT / "tinynas" / "engine" / "templates").iterdir()
    names: set[str] = set()
    for path in sources:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text("utf-8"), flags=re.DOTALL)
        names.update(re.findall(r"\.?[A-Za-z_][\w.]*", code), re.findall(r"[A-Za-z_]\w*", code))
    return frozenset(names)
