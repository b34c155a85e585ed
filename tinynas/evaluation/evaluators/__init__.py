"""One file an evaluator; each is known by its name as soon as this package is imported."""

from functools import partial

from tinynas.evaluation._evaluator import Evaluator
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._registry import EvaluatorSpec, register_evaluator
from tinynas.evaluation._task import EvaluationTask
from tinynas.evaluation.evaluators._counting import macs, parameters
from tinynas.evaluation.evaluators._predictor import PredictorEvaluator, PredictorOptions
from tinynas.evaluation.evaluators._supernet import SupernetEvaluator, SupernetOptions
from tinynas.evaluation.evaluators._table import TableEvaluator, TableOptions
from tinynas.evaluation.evaluators._training import TrainingEvaluator, TrainingOptions
from tinynas.evaluation.evaluators.zero_cost import PROXIES, ZeroCostEvaluator, ZeroCostOptions
from tinynas.plugins import OWN


def _macs(task: EvaluationTask, options: EvaluatorOptions) -> Evaluator:
    return macs(task)


def _parameters(task: EvaluationTask, options: EvaluatorOptions) -> Evaluator:
    return parameters(task)


_SPECS = (
    EvaluatorSpec(
        "supernet",
        "held-out accuracy with the weights of a supernet",
        SupernetEvaluator,
        SupernetOptions,
        needs_supernet=True,
    ),
    EvaluatorSpec(
        "training",
        "held-out accuracy after a training of one's own, or a short one",
        TrainingEvaluator,
        TrainingOptions,
    ),
    EvaluatorSpec(
        "predictor", "a regression on some answers of another evaluator", PredictorEvaluator, PredictorOptions
    ),
    EvaluatorSpec("table", "values from a file", TableEvaluator, TableOptions),
    EvaluatorSpec("macs", "counts multiply-accumulates", _macs, accuracy=False),
    EvaluatorSpec("parameters", "counts weights and biases", _parameters, accuracy=False),
    *(
        EvaluatorSpec(name, proxy.description, partial(ZeroCostEvaluator, name), ZeroCostOptions, accuracy=False)
        for name, proxy in PROXIES.items()
    ),
)

for _spec in _SPECS:
    register_evaluator(_spec, OWN)

__all__ = [
    "PredictorEvaluator",
    "PredictorOptions",
    "SupernetEvaluator",
    "SupernetOptions",
    "TableEvaluator",
    "TableOptions",
    "TrainingEvaluator",
    "TrainingOptions",
    "ZeroCostEvaluator",
    "ZeroCostOptions",
]
