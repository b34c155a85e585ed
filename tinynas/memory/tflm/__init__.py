"""TensorFlow Lite Micro's memory: its arena to the byte, and offline plans that make it smaller."""

from tinynas.memory.tflm._arena import TailItem
from tinynas.memory.tflm._model import Kernels, TflmFlash, TflmMemoryModel, TflmPlan, TflmSram
from tinynas.memory.tflm._offline_plan import OfflinePlan, offline_plan
from tinynas.memory.tflm._tensors import FileTensors, WrittenTensors, as_written
from tinynas.memory.tflm.operators import KernelNeeds, TflmUnsupportedError

__all__ = [
    "FileTensors",
    "KernelNeeds",
    "Kernels",
    "OfflinePlan",
    "TailItem",
    "TflmFlash",
    "TflmMemoryModel",
    "TflmPlan",
    "TflmSram",
    "TflmUnsupportedError",
    "WrittenTensors",
    "as_written",
    "offline_plan",
]
