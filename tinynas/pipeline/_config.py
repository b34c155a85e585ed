"""The configuration of a run: one TOML file, validated before anything is computed.

Every key is optional except `board` and `[data] dataset`. A key that does not exist is an error that names the
nearest one that does, so that a typo never silently falls back to a default.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tinynas.errors import UsageError

PositiveInt = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ConfigError(UsageError):
    """The configuration file cannot be read or asks for something that does not exist."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """Which images, and how many training images are held out for every choice made before the final test."""

    dataset: str
    holdout: PositiveInt = 5000
    root: str | None = None


class SpaceConfig(_Section):
    """The search space and the grid of (width multiplier, resolution) that the space optimizer compares."""

    name: str = "fashion"
    widths: Annotated[tuple[Rate, ...], Field(min_length=1)] | None = None
    resolutions: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = None
    samples: PositiveInt = 1000


class SupernetConfig(_Section):
    """Training of the weight-shared network, in optimizer steps so that a seed reproduces it."""

    steps: PositiveInt = 1500
    batch_size: PositiveInt = 64
    learning_rate: Rate = 0.05
    checkpoint_seconds: Rate = 20.0


class SearchConfig(_Section):
    """Evolution under hard constraints; random search gets the same number of evaluations."""

    evaluations: Annotated[int, Field(ge=2)] = 60
    population: Annotated[int, Field(ge=2)] = 20
    rounds: PositiveInt = 2
    top_candidates: PositiveInt = 3
    validation_images: PositiveInt = 2000
    recalibration_images: PositiveInt = 512

    @model_validator(mode="after")
    def _population_within_evaluations(self) -> SearchConfig:
        if self.population > self.evaluations:
            raise ValueError(f"population ({self.population}) must not exceed evaluations ({self.evaluations})")
        return self


class FinetuneConfig(_Section):
    """Training of the winner and of the baselines that are trained like it."""

    steps: Count = 1000
    batch_size: PositiveInt = 64
    learning_rate: Rate = 0.02


class QuantizationConfig(_Section):
    """From float to int8: `qat` fine-tunes with quantization in the loop, `ptq` only calibrates."""

    method: Literal["qat", "ptq"] = "qat"
    steps: Count = 300
    learning_rate: Rate = 0.002
    calibration_images: PositiveInt = 512


class LimitsConfig(_Section):
    """Hard limit on one inference. Milliseconds need a board whose cycles are known; instructions never do."""

    instructions: PositiveInt | None = None
    latency_ms: Rate | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> LimitsConfig:
        if self.instructions is not None and self.latency_ms is not None:
            raise ValueError("give either instructions or latency_ms, not both")
        return self


class ReserveConfig(_Section):
    """Memory that the application around the network keeps for itself, in bytes."""

    sram_bytes: Count = 0
    flash_bytes: Count = 0


class MeasureConfig(_Section):
    """Where candidates are measured: on the virtual board, or on a real one at the serial `port`."""

    transport: Literal["virtual", "serial"] = "virtual"
    port: str | None = None
    toolchain: Literal["zig", "gcc"] = "zig"
    images: PositiveInt = 100

    @model_validator(mode="after")
    def _port_belongs_to_serial(self) -> MeasureConfig:
        if (self.transport == "serial") != (self.port is not None):
            raise ValueError('port is needed with transport = "serial", and only then')
        return self


class RunConfig(_Section):
    """A whole run, validated. Equal configurations, seeds and data give equal results."""

    board: str
    seed: Count = 0
    data: DataConfig
    space: SpaceConfig = SpaceConfig()
    supernet: SupernetConfig = SupernetConfig()
    search: SearchConfig = SearchConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    limits: LimitsConfig = LimitsConfig()
    reserve: ReserveConfig = ReserveConfig()
    measure: MeasureConfig = MeasureConfig()


def load_config(path: Path, *, seed: int | None = None) -> RunConfig:
    """Read a run configuration; paths in it are relative to the file.

    Args:
        path: a TOML file.
        seed: replaces the seed of the file.

    Raises:
        ConfigError: the file is missing, is not TOML, or has an unknown key or a wrong value (one line, naming the
            nearest key that exists).
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    if seed is not None:
        document["seed"] = seed
    try:
        config = RunConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error
    return _with_absolute_paths(config, path.parent)


def _with_absolute_paths(config: RunConfig, base: Path) -> RunConfig:
    """Names stay names; what exists as a file beside the configuration becomes a path."""

    def resolve(name: str) -> str:
        beside = base / name
        return str(beside.resolve()) if beside.exists() and ("/" in name or beside.suffix) else name

    data = config.data.model_copy(
        update={
            "dataset": resolve(config.data.dataset),
            "root": None if config.data.root is None else str((base / config.data.root).resolve()),
        }
    )
    space = config.space.model_copy(update={"name": resolve(config.space.name)})
    return config.model_copy(update={"board": resolve(config.board), "data": data, "space": space})


def _explain(error: ValidationError) -> str:
    """The first error as one line, in the words of the file; unknown keys name the nearest known key."""
    errors = error.errors()
    # A typo of a required key yields two errors (unknown, missing): the unknown one carries the suggestion.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    more = "" if len(errors) == 1 or first["type"] == "extra_forbidden" else f" (and {len(errors) - 1} more)"
    return _explain_one(first) + more


def _explain_one(error: ErrorDetails) -> str:
    location = [str(part) for part in error["loc"]]
    where = f"[{'.'.join(location[:-1])}] " if len(location) > 1 else ""
    key = location[-1] if location else ""
    if error["type"] == "extra_forbidden":
        return f"{where}unknown key '{key}': {_suggest(key, _keys_at(location[:-1]))}"
    if error["type"] == "missing":
        return f"{where}key '{key}' is missing"
    if error["type"] == "literal_error":
        choices = [part.strip(" '") for part in str(error["ctx"]["expected"]).replace(" or ", ",").split(",")]
        return f"{where}{key} = {error['input']!r}: {_suggest(str(error['input']), choices)}"
    if error["type"] == "value_error":
        return f"[{'.'.join(location)}] {error['ctx']['error']}" if location else str(error["ctx"]["error"])
    message = error["msg"].removeprefix("Input ")
    return f"{where}{key} = {_shorten(error['input'])}: {message}"


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _suggest(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"


def _keys_at(location: list[str]) -> list[str]:
    fields: Mapping[str, Any] = RunConfig.model_fields
    for part in location:
        fields = fields[part].annotation.model_fields
    return list(fields)
