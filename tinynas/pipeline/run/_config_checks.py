"""What sections of a configuration ask of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinynas.pipeline.run._search_config import ConfigError, training_options
from tinynas.pipeline.run._steps import features_train

if TYPE_CHECKING:
    from tinynas.pipeline.run._config import RunConfig

COUNTING = ("macs", "parameters")
"""The evaluators that only count: what others are tested against."""

PLANNED_METHODS = ("sampled", "gradient")
"""The search methods whose trainings a budget of minutes can plan."""

_LEAST_BATCH = 4  # of the evaluator "training"


def check_sections(config: RunConfig, where: str) -> None:
    """Check that no section asks for what another one does not give; `where` names the file.

    Raises:
        ConfigError: one does: which, and what to do.
    """
    for section, fault in (
        ("budget", _not_planned(config)),
        ("ruler", _ruler_of_no_use(config)),
        ("finetune", _not_evaluated(config)),
    ):
        if fault is not None:
            raise ConfigError(f"{where}: {section}: {fault}")


def _not_planned(config: RunConfig) -> str | None:
    """Why numbers of steps cannot be planned, and what to do."""
    if config.budget.minutes is None:
        return None
    if config.search.method not in PLANNED_METHODS:
        return f"what method {config.search.method!r} trains is not known before; leave minutes out"
    if features_train(config.search):
        return "features of a predictor are trained by defaults, which no plan changes; leave them or minutes out"
    return None


def _ruler_of_no_use(config: RunConfig) -> str | None:
    """Why an evaluator cannot be tested, or not be replaced, and what to do."""
    search = config.search
    if config.ruler.networks == 0:
        return None
    if search.method != "sampled":
        return f"method {search.method!r} has no evaluator to choose; leave networks out"
    if search.evaluator in COUNTING:
        return f"evaluator {search.evaluator!r} only counts: others are tested against it; leave networks out"
    if search.soft_constraint is not None:
        return "a test may leave counting, whose scores no soft constraint is meant for; leave soft_constraint out"
    if config.finetune.weights != "evaluation" and config.finetune.batch_size < _LEAST_BATCH:
        return f"it trains in batches of at least {_LEAST_BATCH}; raise [finetune] batch_size"
    if search.evaluator == "training":
        options = training_options(search)
        own = round(options.steps * options.fidelities[0])
        if config.ruler.steps <= own:
            return f"its trainings of {config.ruler.steps} steps are no longer than the evaluator's {own}; raise steps"
    return None


def _not_evaluated(config: RunConfig) -> str | None:
    """Why the search's own weights cannot be the winner's, or a key without effect beside them; and what to do."""
    search = config.search
    if config.finetune.weights != "evaluation":
        return None
    if search.method != "sampled" or search.evaluator != "training":
        return 'weights = "evaluation" are those of evaluator "training"; take that, or leave weights out'
    options = training_options(search)
    for name in ("data_share", "resolution_scale", "width_scale"):
        if getattr(options, name) < 1:
            return f'weights = "evaluation" are of full trainings; leave evaluator option {name} out'
    unused = {"steps", "optimizer", "learning_rate"}
    if config.quantization.method == "ptq":  # QAT goes on with the others
        unused |= {"batch_size", "label_smoothing"}
    for name in sorted(unused & config.finetune.model_fields_set):
        return f'{name} has no effect with weights = "evaluation": evaluator_options say how networks are trained'
    return None
