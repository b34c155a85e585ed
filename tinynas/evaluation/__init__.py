"""Evaluators: what a candidate is worth, at which fidelity, and how sure that is; by name, and in any combination."""

from tinynas.evaluation._agreement import (
    Agreement,
    Interval,
    agreement,
    groups_of_equal_macs,
    kendall,
    stratified,
)
from tinynas.evaluation._errors import EvaluatorError
from tinynas.evaluation._evaluator import (
    Estimate,
    EvaluationProgress,
    Evaluator,
    QueuedEvaluator,
    check_fidelities,
    check_fidelity,
)
from tinynas.evaluation._key import evaluator_key
from tinynas.evaluation._options import EvaluatorOptions
from tinynas.evaluation._registry import (
    EvaluatorSpec,
    build_evaluator,
    check_evaluator_options,
    evaluator,
    evaluator_names,
    evaluator_versions,
    is_accuracy,
    list_evaluators,
    needs_supernet,
    register_evaluator,
)
from tinynas.evaluation._shared_weights import check_shared_weights
from tinynas.evaluation._task import EvaluationTask, draw_examples
from tinynas.evaluation.evaluators import (
    PredictorEvaluator,
    PredictorOptions,
    SupernetEvaluator,
    SupernetOptions,
    TableEvaluator,
    TableOptions,
    TrainingEvaluator,
    TrainingOptions,
    ZeroCostEvaluator,
    ZeroCostOptions,
)

__all__ = [
    "Agreement",
    "Estimate",
    "EvaluationProgress",
    "EvaluationTask",
    "Evaluator",
    "EvaluatorError",
    "EvaluatorOptions",
    "EvaluatorSpec",
    "Interval",
    "PredictorEvaluator",
    "PredictorOptions",
    "QueuedEvaluator",
    "SupernetEvaluator",
    "SupernetOptions",
    "TableEvaluator",
    "TableOptions",
    "TrainingEvaluator",
    "TrainingOptions",
    "ZeroCostEvaluator",
    "ZeroCostOptions",
    "agreement",
    "build_evaluator",
    "check_evaluator_options",
    "check_fidelities",
    "check_fidelity",
    "check_shared_weights",
    "draw_examples",
    "evaluator",
    "evaluator_key",
    "evaluator_names",
    "evaluator_versions",
    "groups_of_equal_macs",
    "is_accuracy",
    "kendall",
    "list_evaluators",
    "needs_supernet",
    "register_evaluator",
    "stratified",
]
