"""docs/configuration.md has every key of the configuration, with its default or with an example that is valid."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from known_words import models_within
from pages import PAGES, CodeBlock, Page, fail_on
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tinynas.pipeline import RunConfig

REQUIRED = {"board", "data.dataset"}
OPTIONAL_SECTIONS = ("search.soft_constraint.",)
"""What is left out as a whole, and is required within."""


def sample(page: Page) -> CodeBlock:
    (block,) = (block for block in page.blocks if block.language == "toml")
    return block


PAGE = next(page for page in PAGES if page.name == "docs/configuration.md")
TEXT = sample(PAGE).text


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a table by dotted keys."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        values |= flat(value, f"{prefix}{key}.") if value and isinstance(value, dict) else {prefix + key: value}
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


def lines(text: str) -> dict[str, int]:
    """The line of every key from 0, also of those that are commented out."""
    found, section = {}, ""
    for number, line in enumerate(text.splitlines()):
        if heading := re.match(r"\[(\w+)\]", line):
            section = f"{heading[1]}."
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found[section + key[1]] = number
    return found


def wrong_keys(page: Page) -> list[str]:
    """What a page with a sample of all keys says that is not so, or leaves out."""
    block = sample(page)
    line_of = lines(block.text)
    return [page.finding(block.line + line_of.get(key, 0), f"{key} {what}") for key, what in _wrong_keys(block.text)]


def _wrong_keys(text: str) -> Iterator[tuple[str, str]]:
    shown, with_examples = flat(tomllib.loads(text)), all_keys_set(text)
    known = dict(fields(RunConfig))
    yield from ((key, "is no key") for key in with_examples if key not in known)
    for key, field in known.items():
        default = field.get_default(call_default_factory=True)
        if key not in with_examples:
            yield key, "is missing"
        elif key in REQUIRED:
            continue
        elif key in shown and shown[key] != (list(default) if isinstance(default, tuple) else default):
            yield key, f"is {default!r} by default, not {shown[key]!r}"
        elif key not in shown and default not in (None, PydanticUndefined):
            yield key, f"is commented out, and is {default!r} by default"
        elif not _is_valid(field, with_examples[key]):
            yield key, f"cannot be {with_examples[key]!r}"
        yield from (
            (key, f"may be {choice!r} too") for choice in choices(field.annotation) if f'"{choice}"' not in text
        )


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
    fail_on(wrong_keys(PAGE))


def test_only_what_is_said_to_be_required_is() -> None:
    required = {key for key, field in fields(RunConfig) if field.is_required()}
    assert {key for key in required if not key.startswith(OPTIONAL_SECTIONS)} == REQUIRED
    assert re.findall(r"^(\w+) = .* # required: ", TEXT, re.MULTILINE) == ["board", "dataset"]


def test_learning_rates_that_are_left_out_are_the_optimizers_own() -> None:
    pytest.importorskip("torch")
    from tinynas.training import Adam, AdamW, Muon, Sgd

    sgd, adam, muon = Sgd.default_learning_rate, Adam.default_learning_rate, Muon.default_learning_rate
    assert adam == AdamW.default_learning_rate
    assert f'else the optimizer\'s: {sgd}, {adam} of "adam" and "adamw",\n' in TEXT
    assert f'{muon} of "muon"\n' in TEXT
    shown = all_keys_set(TEXT)
    assert [shown[f"{section}.learning_rate"] for section in ("supernet", "finetune")] == [sgd, sgd]
    assert shown["quantization.learning_rate"] == 0.01 * sgd  # tests/quantization has the hundredth


@pytest.mark.parametrize(
    ("old", "new", "at", "what"),
    [
        ("steps = 1500", "steps = 1400", "steps = 1400", "supernet.steps is 1500 by default, not 1400"),
        ("sampled_per_step = 2", "", "board = ", "supernet.sampled_per_step is missing"),
        ("seed = 0", "seed = 0\nsede = 0", "sede = 0", "sede is no key"),
        ("shift = 0", "# shift = 2", "# shift = 2", "data.shift is commented out, and is 0 by default"),
        ("# holdout = 5000", "# holdout = 0", "# holdout = 0", "data.holdout cannot be 0"),
        ("# directory = ", "# folder = ", "# folder = ", "data.folder is no key"),
        ('or "gcc"', "", "toolchain = ", "measure.toolchain may be 'gcc' too"),
    ],
)
def test_a_wrong_key_is_one_line(old: str, new: str, at: str, what: str) -> None:
    assert old in TEXT
    text = f"```toml\n{TEXT.replace(old, new, 1)}```\n"
    line = 1 + next(number for number, line in enumerate(text.splitlines()) if line.startswith(at))
    assert wrong_keys(Page("docs/bad.md", text))[0] == f"docs/bad.md:{line}: {what}"
