"""Latency: what a schedule takes on a board, predicted per kernel call and refined by measurements."""

from tinynas.latency._design import calibration_networks, diverse_networks
from tinynas.latency._fit import fit_latency, refine
from tinynas.latency._json import from_json, latency_model_path, load_latency_model, save_latency_model, to_json
from tinynas.latency._measurement import (
    InferenceMeasurement,
    LatencyError,
    Measurement,
    Unit,
    measurements_of,
)
from tinynas.latency._metrics import LatencyMetrics, latency_metrics, spearman
from tinynas.latency._model import LatencyModel, LatencyPrediction, Overhead, StepPrediction, VariantModel
from tinynas.latency._probe_networks import probe_networks
from tinynas.latency._quantity import Quantity, deciding_quantity, instruction_quantity, no_cycles
from tinynas.latency._random_constants import Trait, with_random_constants
from tinynas.latency._random_networks import NetworkLimits, random_network
from tinynas.latency._random_streams import random_streams

__all__ = [
    "InferenceMeasurement",
    "LatencyError",
    "LatencyMetrics",
    "LatencyModel",
    "LatencyPrediction",
    "Measurement",
    "NetworkLimits",
    "Overhead",
    "Quantity",
    "StepPrediction",
    "Trait",
    "Unit",
    "VariantModel",
    "calibration_networks",
    "deciding_quantity",
    "diverse_networks",
    "fit_latency",
    "from_json",
    "instruction_quantity",
    "latency_metrics",
    "latency_model_path",
    "load_latency_model",
    "measurements_of",
    "no_cycles",
    "probe_networks",
    "random_network",
    "random_streams",
    "refine",
    "save_latency_model",
    "spearman",
    "to_json",
    "with_random_constants",
]
