"""Quantization: calibration, quantization-aware training, and the int8 graph that is deployed."""

from tinynas.quantization._accuracy import integer_accuracy, integer_predictions, quantize_images
from tinynas.quantization._bias_correction import correct_biases
from tinynas.quantization._calibration import Calibration, calibrate
from tinynas.quantization._export import quantize
from tinynas.quantization._fake_quantization import FakeQuantizedNetwork
from tinynas.quantization._parameters import INPUT_QUANTIZATION
from tinynas.quantization._ranges import RangeMethod
from tinynas.quantization._training import train_quantization_aware

__all__ = [
    "INPUT_QUANTIZATION",
    "Calibration",
    "FakeQuantizedNetwork",
    "RangeMethod",
    "calibrate",
    "correct_biases",
    "integer_accuracy",
    "integer_predictions",
    "quantize",
    "quantize_images",
    "train_quantization_aware",
]
