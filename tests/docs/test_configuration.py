"""docs/configuration.md has every key of the configuration, with its default or with an example that is valid."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from known_words import models_within
from pages import PAGES
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tinynas.pipeline import RunConfig

REQUIRED = {"board", "data.dataset"}


def sample() -> str:
    (page,) = (page for page in PAGES if page.name == "docs/configuration.md")
    (block,) = (block for block in page.blocks if block.language == "toml")
    return block.text


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a table by dotted keys."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return values


def all_keys_set(text: str) -> dict[str, Any]:
    """Every key, with those that are commented out."""
    return flat(tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)))


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The fields that are no sections, by dotted keys."""
    for name, field in model.model_fields.items():
        sections = list(models_within(field.annotation))
        for section in sections:
            yield from fields(section, f"{prefix}{name}.")
        if not sections:
            yield prefix + name, field


def wrong_keys(text: str) -> list[str]:
    """What a sample of all keys says that is not so, or leaves out."""
    shown, with_examples = flat(tomllib.loads(text)), all_keys_set(text)
    known = dict(fields(RunConfig))
    findings = [f"{key} is no key" for key in with_examples if key not in known]
    for key, field in known.items():
        default = field.get_default()
        if key not in with_examples:
            findings.append(f"{key} is missing")
        elif key in REQUIRED:
            continue
        elif key in shown and shown[key] != (list(default) if isinstance(default, tuple) else default):
            findings.append(f"{key} is {default!r} by default, not {shown[key]!r}")
        elif key not in shown and default is not None:
            findings.append(f"{key} is commented out, and is {default!r} by default")
        elif not _is_valid(field, with_examples[key]):
            findings.append(f"{key} cannot be {with_examples[key]!r}")
        findings += [
            f"{key} may be {choice!r} too" for choice in choices(field.annotation) if f'"{choice}"' not in text
        ]
    return findings


def _is_valid(field: FieldInfo, value: Any) -> bool:
    try:
        TypeAdapter(field.rebuild_annotation()).validate_python(value)
    except ValidationError:
        return False
    return True


def choices(annotation: Any) -> Iterator[str]:
    """The values of a `Literal`, also of one within a tuple."""
    for argument in typing.get_args(annotation):
        if typing.get_origin(annotation) is Literal:
            yield argument
        else:
            yield from choices(argument)


def test_every_key_is_there_with_its_default() -> None:
    assert wrong_keys(sample()) == []


def test_only_what_is_said_to_be_required_is() -> None:
    assert {key for key, field in fields(RunConfig) if field.is_required()} == REQUIRED
    lines = re.findall(r"^(\w+) = .* # required: ", sample(), re.MULTILINE)
    assert lines == ["board", "dataset"]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("steps = 1500", "steps = 1400", "supernet.steps is 1500 by default, not 1400"),
        ("sampled_per_step = 2", "", "supernet.sampled_per_step is missing"),
        ("seed = 0", "seed = 0\nsede = 0", "sede is no key"),
        ("shift = 0", "# shift = 2", "data.shift is commented out, and is 0 by default"),
        ("# holdout = 5000", "# holdout = 0", "data.holdout cannot be 0"),
        ("# directory = ", "# folder = ", "data.folder is no key"),
        ('or "gcc"', "", "measure.toolchain may be 'gcc' too"),
    ],
)
def test_a_wrong_key_is_one_line(old: str, new: str, what: str) -> None:
    assert old in sample()
    assert wrong_keys(sample().replace(old, new, 1))[0] == what
