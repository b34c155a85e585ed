"""The configuration of a run: one TOML file, validated before anything is computed.

Every key is optional except `board` and `[data] dataset`. A key that does not exist is an error that names the
nearest one that does, so that a typo never silently falls back to a default.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from tinynas.pipeline.run._config_checks import check_sections
from tinynas.pipeline.run._search_config import (
    ConfigError,
    PositiveInt,
    Rate,
    SearchConfig,
    Section,
    check_search,
)
from tinynas.registry import closest
from tinynas.spaces import HAND_MADE
from tinynas.targets import explain_validation_error
from tinynas.training import OptimizerName

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class DataConfig(Section):
    """Which images, and how many training images are held out for every choice made before the final test.

    Without `holdout` it is 5000, or a fifth of a smaller training set. `shift` (pixels) and `flip`
    augment the training images at random.
    """

    dataset: str
    holdout: PositiveInt | None = None
    directory: str | None = None
    shift: Count = 0
    flip: bool = False


class SpaceConfig(Section):
    """The search space and the grid of (width multiplier, resolution) that the space optimizer compares."""

    name: str = "mobile-tiny"
    widths: Annotated[tuple[Rate, ...], Field(min_length=1)] | None = None
    resolutions: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = None
    samples: PositiveInt = 1000


class SupernetConfig(Section):
    """Training of the weight-shared network, in optimizer steps, not seconds, so that a seed can reproduce it.

    Without `learning_rate` its peak is the optimizer's own.
    """

    steps: PositiveInt = 1500
    batch_size: PositiveInt = 128
    optimizer: OptimizerName = "sgd"
    learning_rate: Rate | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sampled_per_step: PositiveInt = 2


class BudgetConfig(Section):
    """How long a run may take: all numbers of steps are scaled by one factor, planned once by a measured throughput."""

    minutes: Annotated[float, Field(gt=0, le=1e6)] | None = None


class RulerConfig(Section):
    """How well the evaluator ranks networks, tested before the search trusts it; without `networks` it is not.

    They are drawn in `groups` of about equal MACs, scored by the evaluator, and trained for `steps`, `seeds` times
    each. Where counting ranks as well, the search is by counting.
    """

    networks: Count = 0
    groups: PositiveInt = 4
    steps: PositiveInt = 1500
    seeds: PositiveInt = 2

    @model_validator(mode="after")
    def _pairs(self) -> RulerConfig:
        if 0 < self.networks < 2 * self.groups:
            raise ValueError(f"networks must be at least two for each of {self.groups} groups")
        return self


class FinetuneConfig(Section):
    """Training of the winner and of the baselines that are trained like it.

    Short trainings, of a few epochs, underfit: label smoothing and augmentation then cost accuracy, so they are off
    unless asked for. Without `learning_rate` its peak is the optimizer's own. Networks of the space begin with the
    shared `weights` of the search where it trained some, else with random ones; `supernet` has a supernet trained for
    that where the search needs none. With `evaluation`, the evaluator `training` has trained the winner in full
    already: it keeps these weights, and baselines are trained in the same way.
    """

    weights: Literal["supernet", "random", "evaluation"] | None = None
    steps: PositiveInt = 1000
    batch_size: PositiveInt = 128
    optimizer: OptimizerName = "sgd"
    learning_rate: Rate | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class BaselinesConfig(Section):
    """What the winner is reported beside.

    `random_search` runs beside the strategy with as many evaluations, for what that takes. What `train` names is
    trained, quantized and measured like the winner. With several `seeds`, winner and baselines are trained and
    quantized so often, to be compared by their means; what is deployed is the first of the winner.
    """

    random_search: bool = True
    train: tuple[str, ...] = ("random", "macs", "mobilenet-v2")
    seeds: PositiveInt = 1

    @model_validator(mode="after")
    def _random_is_searched(self) -> BaselinesConfig:
        if "random" in self.train and not self.random_search:
            raise ValueError('without random_search there is no "random" to train: list the others in train')
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> BaselinesConfig:
        for name in self.train:
            if name not in (known := ("random", "macs", *HAND_MADE)):
                raise ValueError(f"train names {name!r}, which is no baseline: {closest(name, known)}")
        return self

    @model_validator(mode="after")
    def _none_twice(self) -> BaselinesConfig:
        for name in self.train:
            if self.train.count(name) > 1:
                raise ValueError(f"train names {name!r} twice: list each once")
        return self


class QuantizationConfig(Section):
    """From float to int8: `ptq` calibrates and corrects biases, `qat` fine-tunes from there with rounding in the loop.

    Without `learning_rate` its peak is a hundredth of the optimizer's own.
    """

    method: Literal["ptq", "qat"] = "ptq"
    activation_ranges: Literal["mse", "min-max"] = "mse"
    weight_ranges: Literal["mse", "min-max"] = "mse"
    bias_correction: bool = True
    steps: Count = 300
    optimizer: OptimizerName = "sgd"
    learning_rate: Rate | None = None
    calibration_images: PositiveInt = 512

    @model_validator(mode="after")
    def _ptq_trains_nothing(self) -> QuantizationConfig:
        for name in ("steps", "optimizer", "learning_rate"):
            if self.method == "ptq" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f'{name} has no effect with method = "ptq": leave it out, or take method = "qat"')
        return self


class LimitsConfig(Section):
    """Hard limit on one inference.

    Cycles and milliseconds need a board whose cycles are known, by its counter or by the timing of its core, a model.
    Instructions are those of the virtual board; where they are limited, they are also what the search goes by.
    """

    instructions: PositiveInt | None = None
    cycles: PositiveInt | None = None
    latency_ms: Rate | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> LimitsConfig:
        given = [name for name in ("latency_ms", "cycles", "instructions") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of {', '.join(given)}, not {'both' if len(given) == 2 else 'all'}")
        return self


class EngineConfig(Section):
    """How networks are executed: the same for the search's predictions, the firmware and the exported code.

    With `streams`, parts of a network run row by row where nothing but its arena is too large otherwise.
    With `stream_input`, every network takes its input row by row: what is built and exported has `model_push_row`.
    With `patches`, the first blocks of a network run in patches where nothing but its arena is too large otherwise.
    With `leave_out_kernels`, fast kernels are left out where flash is too small for their code.
    """

    streams: bool = True
    stream_input: bool = False
    patches: bool = False
    leave_out_kernels: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> EngineConfig:
        if self.stream_input and (self.patches or self.leave_out_kernels or not self.streams):
            raise ValueError("stream_input goes with streams = true, and without patches and leave_out_kernels")
        return self


class ReserveConfig(Section):
    """Memory that the application around the network keeps for itself, in bytes."""

    sram_bytes: Count = 0
    flash_bytes: Count = 0


class MeasureConfig(Section):
    """Where candidates are measured: on the virtual board, or on a real one at the serial `port`.

    Of several debug probes, `probe` is the unique id of the one that flashes the board.
    """

    transport: Literal["virtual", "serial"] = "virtual"
    port: str | None = None
    # No part of what a run is: it continues, and follows its plan, with another probe.
    probe: str | None = Field(default=None, exclude=True)
    toolchain: Literal["zig", "gcc"] = "zig"
    calibration_networks: PositiveInt = 8
    images: PositiveInt = 100

    @model_validator(mode="after")
    def _port_belongs_to_serial(self) -> MeasureConfig:
        if (self.transport == "serial") != (self.port is not None):
            raise ValueError('port is needed with transport = "serial", and only then')
        if self.probe is not None and self.port is None:
            raise ValueError('probe names what flashes the board: it goes with transport = "serial"')
        return self


class RunConfig(Section):
    """A whole run, validated. Equal configurations, seeds and data give equal results."""

    board: str
    seed: Count = 0
    budget: BudgetConfig = BudgetConfig()
    data: DataConfig
    space: SpaceConfig = SpaceConfig()
    supernet: SupernetConfig = SupernetConfig()
    search: SearchConfig = SearchConfig()
    ruler: RulerConfig = RulerConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    baselines: BaselinesConfig = BaselinesConfig()
    quantization: QuantizationConfig = QuantizationConfig()
    engine: EngineConfig = EngineConfig()
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
        raise ConfigError(f"{path}: {explain_validation_error(RunConfig, error)}") from error
    check_search(config.search, str(path))
    check_sections(config, str(path))
    return _with_absolute_paths(config, path.parent)


def _with_absolute_paths(config: RunConfig, base: Path) -> RunConfig:
    """Names stay names; what exists as a file beside the configuration becomes a path."""

    def resolve(name: str) -> str:
        beside = base / name
        return str(beside.resolve()) if beside.exists() and ("/" in name or beside.suffix) else name

    data = config.data.model_copy(
        update={
            "dataset": resolve(config.data.dataset),
            "directory": None if config.data.directory is None else str((base / config.data.directory).resolve()),
        }
    )
    space = config.space.model_copy(update={"name": resolve(config.space.name)})
    given = {
        key: resolve(value) if isinstance(value, str) else value
        for key, value in config.search.evaluator_options.items()
    }
    search = config.search.model_copy(update={"evaluator_options": given})
    return config.model_copy(update={"board": resolve(config.board), "data": data, "space": space, "search": search})
