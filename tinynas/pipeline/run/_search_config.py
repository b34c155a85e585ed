"""The keys of `[search]`, and what they ask of the strategy and the evaluator that they name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tinynas.errors import UsageError
from tinynas.evaluation import EvaluatorError, check_evaluator_options, evaluator, is_accuracy
from tinynas.search import StrategyError, check_strategy_options, strategy

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
    """A strategy under hard constraints; random search gets the same number of evaluations.

    `evaluator` says what a network is worth, with `evaluator_options` of its own. `options` are the strategy's own;
    those of a population take `population` unless `options` say otherwise. `objectives` are what a strategy of several
    objectives minimizes beside accuracy. What strategy or evaluator do not look at must not be given (`check_search`).
    """

    strategy: str = "evolution"
    options: dict[str, Any] = Field(default_factory=dict)
    evaluator: str = "supernet"
    evaluator_options: dict[str, Any] = Field(default_factory=dict)
    soft_constraint: SoftConstraintConfig | None = None
    objectives: tuple[Literal["latency", "macs", "sram_bytes", "flash_bytes"], ...] = ("latency", "sram_bytes")
    evaluations: Annotated[int, Field(ge=2)] = 60
    population: Annotated[int, Field(ge=2)] = 20
    rounds: PositiveInt = 2
    top_candidates: PositiveInt = 3
    validation_images: PositiveInt = 2000
    recalibration_images: PositiveInt = 512

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


def evaluator_options(config: SearchConfig) -> dict[str, Any]:
    """The options that the evaluator is given: its own, and the numbers of images, if it asks for them."""
    images = {"validation_images": config.validation_images, "recalibration_images": config.recalibration_images}
    known = evaluator(config.evaluator).options.model_fields
    return {**{name: value for name, value in images.items() if name in known}, **config.evaluator_options}


def check_search(config: SearchConfig, where: str) -> None:
    """Check that there are such a strategy and evaluator with these options; `where` names the file in messages.

    Raises:
        ConfigError: there are not, or a key that is given would be without effect.
        PluginError: one is a plugin that cannot be used.
    """
    try:
        check_strategy_options(config.strategy, strategy_options(config))
        check_evaluator_options(config.evaluator, evaluator_options(config))
        accuracy = is_accuracy(config.evaluator, config.evaluator_options)
    except (StrategyError, EvaluatorError) as error:
        raise ConfigError(f"{where}: search: {error}") from error
    if (fault := _without_effect(config)) is not None:
        raise ConfigError(f"{where}: search: {fault}")
    soft = config.soft_constraint
    if soft is not None and soft.form == "product" and not accuracy:
        raise ConfigError(
            f"{where}: search: the product of a soft constraint is for accuracies, and evaluator {config.evaluator!r} "
            'gives others; take form = "sum"'
        )


def _without_effect(config: SearchConfig) -> str | None:
    """A key that is given but not looked at, or cannot be reached; what is wrong with it and what to do."""
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
