"""Training: data sets, the weight-shared supernet, and the accuracy of its subnets.

Reading data sets needs no torch; the names that do are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tinynas.errors import MissingExtraError
from tinynas.training._batches import Augmentation
from tinynas.training._fetch import DATASET_NAMES, fetch_dataset
from tinynas.training._load import data_directory, load_dataset
from tinynas.training._optimizer_names import OptimizerName
from tinynas.training._splits import PIXEL_SCALE, Dataset, DatasetError, Split

if TYPE_CHECKING:
    from tinynas.training._accuracy import SubnetScorer, accuracy, score_subnet
    from tinynas.training._architecture import ArchitectureSettings, CostTerms
    from tinynas.training._batch_norm import float_graph, recalibrate_batch_norm
    from tinynas.training._bilevel import (
        RelaxedSearch,
        architecture_parameters,
        probabilities_of,
        train_architecture,
    )
    from tinynas.training._checkpoint import CheckpointError
    from tinynas.training._descent import (
        ProgressCallback,
        Recipe,
        Trainable,
        TrainingDiverged,
        TrainingSettings,
        descend,
    )
    from tinynas.training._flat_parameters import FlatParameters
    from tinynas.training._float_execution import graph_logits, graph_values, graph_weights, op_value
    from tinynas.training._mixture import Mixture
    from tinynas.training._optimizers import OPTIMIZERS, Adam, AdamW, Muon, Optimizer, Sgd
    from tinynas.training._processes import ProcessPool, TaskPool, WorkerError
    from tinynas.training._relaxed_supernet import RelaxedGraph, RelaxedSupernet, relaxation_error
    from tinynas.training._supernet import (
        BatchNormStatistics,
        Statistics,
        Supernet,
        SupernetError,
        logits_tensor,
        parameter_shapes,
    )
    from tinynas.training._tensors import images_to_tensor
    from tinynas.training._training import train_subnet, train_supernet, training_device
    from tinynas.training.operators import activate_

_NEEDS_TORCH = {
    "_accuracy": ("SubnetScorer", "accuracy", "score_subnet"),
    "_architecture": ("ArchitectureSettings", "CostTerms"),
    "_batch_norm": ("float_graph", "recalibrate_batch_norm"),
    "_bilevel": ("RelaxedSearch", "architecture_parameters", "probabilities_of", "train_architecture"),
    "_checkpoint": ("CheckpointError",),
    "_descent": ("ProgressCallback", "Recipe", "Trainable", "TrainingDiverged", "TrainingSettings", "descend"),
    "_flat_parameters": ("FlatParameters",),
    "_float_execution": ("graph_logits", "graph_values", "graph_weights", "op_value"),
    "_mixture": ("Mixture",),
    "operators": ("activate_",),
    "_optimizers": ("OPTIMIZERS", "Adam", "AdamW", "Muon", "Optimizer", "Sgd"),
    "_processes": ("ProcessPool", "TaskPool", "WorkerError"),
    "_relaxed_supernet": ("RelaxedGraph", "RelaxedSupernet", "relaxation_error"),
    "_supernet": (
        "BatchNormStatistics",
        "Statistics",
        "Supernet",
        "SupernetError",
        "logits_tensor",
        "parameter_shapes",
    ),
    "_tensors": ("images_to_tensor",),
    "_training": ("train_subnet", "train_supernet", "training_device"),
}
_MODULE_OF = {name: module for module, names in _NEEDS_TORCH.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name == "torch":
            raise MissingExtraError("torch", "training") from error
        raise


__all__ = [
    "DATASET_NAMES",
    "OPTIMIZERS",
    "PIXEL_SCALE",
    "Adam",
    "AdamW",
    "ArchitectureSettings",
    "Augmentation",
    "BatchNormStatistics",
    "CheckpointError",
    "CostTerms",
    "Dataset",
    "DatasetError",
    "FlatParameters",
    "Mixture",
    "Muon",
    "Optimizer",
    "OptimizerName",
    "ProcessPool",
    "ProgressCallback",
    "Recipe",
    "RelaxedGraph",
    "RelaxedSearch",
    "RelaxedSupernet",
    "Sgd",
    "Split",
    "Statistics",
    "SubnetScorer",
    "Supernet",
    "SupernetError",
    "TaskPool",
    "Trainable",
    "TrainingDiverged",
    "TrainingSettings",
    "WorkerError",
    "accuracy",
    "activate_",
    "architecture_parameters",
    "data_directory",
    "descend",
    "fetch_dataset",
    "float_graph",
    "graph_logits",
    "graph_values",
    "graph_weights",
    "images_to_tensor",
    "load_dataset",
    "logits_tensor",
    "op_value",
    "parameter_shapes",
    "probabilities_of",
    "recalibrate_batch_norm",
    "relaxation_error",
    "score_subnet",
    "train_architecture",
    "train_subnet",
    "train_supernet",
    "training_device",
]
