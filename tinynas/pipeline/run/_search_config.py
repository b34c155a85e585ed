"""The keys of `[search]`, and what they ask of the method, the strategy and the evaluator that they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tinynas.errors import UsageError
from tinynas.evaluation import EvaluatorError, TrainingOptions, evaluator
from tinynas.registry import closest
from tinynas.search import MethodError, StrategyError, method, read_method_options, strategy
from tinynas.spaces import HAND_MADE

PositiveInt = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ConfigError(UsageError):
    """The configuration file cannot be read or asks for something that does not exist."""


class Section(BaseModel):
    """A table of the file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SoftConstraintConfig(Section):
    """What a cost weighs beside accuracy: MnasNet's product, or a weighted sum. Costs are predictions.

    `target` is in the unit of the cost: bytes, multiply-accumulates, or ticks of the latency model.
    """

    cost: Literal["latency", "macs", "sram_bytes", "flash_bytes"]
    target: Rate
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    form: Literal["product", "sum"]


class SearchConfig(Section):
    """A search method under hard constraints; random search gets the same number of evaluations, where it runs.

    `method` is how networks are searched, with `method_options` of its own. With `sampled`, `strategy` asks for them
    and `evaluator` says what they are worth, with `evaluator_options` of its own. `options` are the strategy's own;
    those of a population take `population` unless `options` say otherwise. `start` names networks that people scale by
    hand: the members of the space that are most like them are scored first. `objectives` are what a strategy of several
    objectives minimizes beside accuracy. What method, strategy or evaluator do not look at must not be given
    (`check_search`).
    """

    method: str = "sampled"
    method_options: dict[str, Any] = Field(default_factory=dict)
    strategy: str = "evolution"
    options: dict[str, Any] = Field(default_factory=dict)
    evaluator: str = "supernet"
    evaluator_options: dict[str, Any] = Field(default_factory=dict)
    soft_constraint: SoftConstraintConfig | None = None
    start: tuple[str, ...] = ()
    objectives: tuple[Literal["latency", "macs", "sram_bytes", "flash_bytes"], ...] = ("latency", "sram_bytes")
    evaluations: Annotated[int, Field(ge=2)] = 60
    population: Annotated[int, Field(ge=2)] = 20
    window: PositiveInt = 4
    rounds: PositiveInt = 2
    top_candidates: PositiveInt = 3
    validation_images: PositiveInt = 2000
    recalibration_images: PositiveInt = 512

    @model_validator(mode="after")
    def _start_is_known(self) -> SearchConfig:
        for name in self.start:
            if self.start.count(name) > 1:
                raise ValueError(f"start names {name!r} twice: list each once")
            if name not in HAND_MADE:
                raise ValueError(f"start names {name!r}, which nobody scales by hand: {closest(name, HAND_MADE)}")
        return self

    @model_validator(mode="after")
    def _population_within_evaluations(self) -> SearchConfig:
        if "population" in self.model_fields_set and self.population > self.evaluations:
            raise ValueError(f"population ({self.population}) must not exceed evaluations ({self.evaluations})")
        return self


def strategy_options(config: SearchConfig) -> dict[str, Any]:
    """The options that the strategy is given: its own, and the population, if it has one."""
    population = {"population": min(config.population, config.evaluations)}
    known = strategy(config.strategy).options.model_fields
    return {**(population if "population" in known else {}), **config.options}


def front_objectives(config: SearchConfig) -> tuple[str, ...]:
    """What the strategy minimizes beside the score; empty: it searches for the highest score, and not for a front."""
    if "strategy" not in method(config.method).options.model_fields:
        return ()
    return config.objectives if strategy(config.strategy).uses_objectives else ()


def evaluator_options(config: SearchConfig) -> dict[str, Any]:
    """The options that the evaluator is given: its own, and the numbers of images, if it asks for them."""
    images = {"validation_images": config.validation_images, "recalibration_images": config.recalibration_images}
    known = evaluator(config.evaluator).options.model_fields
    return {**{name: value for name, value in images.items() if name in known}, **config.evaluator_options}


def training_options(config: SearchConfig) -> TrainingOptions:
    """The options of the evaluator `training`, defaults included."""
    return TrainingOptions.model_validate(evaluator_options(config))


_OF_METHODS: dict[str, Callable[[SearchConfig], Any]] = {
    "strategy": lambda config: config.strategy,
    "strategy_options": strategy_options,
    "evaluator": lambda config: config.evaluator,
    "evaluator_options": evaluator_options,
    "validation_images": lambda config: config.validation_images,
    "recalibration_images": lambda config: config.recalibration_images,
}
"""What methods may ask for that a configuration has in `[search]` itself, by the names of their options."""

_OF_PARTS = {
    "strategy": ("strategy", "options", "population", "objectives", "start"),
    "evaluator": ("evaluator", "evaluator_options"),
}
"""Keys that mean something only where a method has a strategy, or an evaluator, to choose."""


def method_options(config: SearchConfig) -> dict[str, Any]:
    """The options that the search method is given: its own, and what else it asks for."""
    known = method(config.method).options.model_fields
    return {**{name: give(config) for name, give in _OF_METHODS.items() if name in known}, **config.method_options}


def check_search(config: SearchConfig, where: str) -> None:
    """Check that there are such a method, strategy and evaluator with these options; `where` names the file.

    Raises:
        ConfigError: there are not, or a key that is given would be without effect.
        PluginError: one is a plugin that cannot be used.
    """
    try:
        if (fault := _of_no_use(config)) is not None:
            raise ConfigError(f"{where}: search: {fault}")
        accuracy = read_method_options(config.method, method_options(config)).accuracy
    except (MethodError, StrategyError, EvaluatorError) as error:
        raise ConfigError(f"{where}: search: {error}") from error
    if (fault := _without_effect(config)) is not None:
        raise ConfigError(f"{where}: search: {fault}")
    soft = config.soft_constraint
    if soft is not None and soft.form == "product" and not accuracy:
        raise ConfigError(
            f"{where}: search: the product of a soft constraint is for accuracies, and evaluator {config.evaluator!r} "
            'gives others; take form = "sum"'
        )


def _of_no_use(config: SearchConfig) -> str | None:
    """A key that the method does not look at, or an option of it that is a key; what is wrong and what to do."""
    known = method(config.method).options.model_fields
    for part, keys in _OF_PARTS.items():
        for key in keys:
            if part not in known and key in config.model_fields_set:
                return f"method {config.method!r} has no {part} to choose; leave {key} out"
    for name in config.method_options:
        if name in _OF_METHODS:
            return f"method_options: {name!r} is said by the keys of [search] itself; leave it out there"
    return None


def _without_effect(config: SearchConfig) -> str | None:
    """A key that is given but not looked at, or cannot be reached; what is wrong with it and what to do."""
    if "strategy" not in method(config.method).options.model_fields:
        return None
    spec, given = strategy(config.strategy), config.model_fields_set
    if "objectives" in given and not spec.uses_objectives:
        return (
            f"strategy {config.strategy!r} does not use objectives; leave the key out, or take a strategy of several "
            "objectives (a soft_constraint works with all)"
        )
    for key, part, options, own in (
        ("population", f"strategy {config.strategy!r}", spec.options, config.options),
        (
            "validation_images",
            f"evaluator {config.evaluator!r}",
            evaluator(config.evaluator).options,
            config.evaluator_options,
        ),
    ):
        if key in given and key not in options.model_fields:
            return f"{part} does not take {key}; leave the key out"
        if key in given and key in own:
            return f"{key} is given twice, and the options of {part} win; leave one of the two out"
    population = config.options.get("population")
    if population is not None and population > config.evaluations:
        return f"options: population ({population}) must not exceed evaluations ({config.evaluations}); lower it"
    return None
