"""What the same work takes with the libraries that engineers use today, as data with their source.

Measured: TensorFlow Lite Micro with CMSIS-NN, and TinyEngine, from their sources of 2026-08, compiled by gcc 12.2 for a
Cortex-M4 with zero wait states; instructions of one int8 inference of the same .tflite files, and its cycles by the
timings of the Cortex-M4's manual. Where a network has no measured figure, `estimate` adds up the figures by layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tinynas.graph import Conv2DAttributes, DepthwiseConv2DAttributes, Graph, Op, OpKind
from tinynas.lowering import Schedule

SOURCE = (
    "TFLM with CMSIS-NN, and TinyEngine, sources of 2026-08: "
    "Cortex-M4, gcc 12.2, zero wait states, instructions of one inference"
)


CYCLES_SOURCE = (
    "TFLM with CMSIS-NN: modelled cycles by the timings of the Cortex-M4 TRM (r0p1), zero wait states, P = 2, "
    "by another counter than this one, on the same emulator"
)


@dataclass(frozen=True)
class NetworkFigures:
    """One inference of a network, in instructions; None where the library cannot run it.

    `cmsis_nn_cycles` are modelled cycles: `CYCLES_SOURCE`.
    """

    cmsis_nn: int
    cmsis_nn_cycles: int
    tinyengine: int | None
    target: int
    remark: str


NETWORKS: Mapping[str, NetworkFigures] = MappingProxyType(
    {
        "kws_ref_model": NetworkFigures(7_700_000, 9_080_000, None, 3_800_000, "TinyEngine cannot generate it"),
        "pretrainedResnet_quant": NetworkFigures(29_870_000, 36_430_000, None, 14_900_000, "TinyEngine does not link"),
        "person_detect": NetworkFigures(22_930_000, 27_140_000, 19_430_000, 11_000_000, "TinyEngine's output is wrong"),
    }
)
"""By the stem of the file's name. `cmsis_nn` is TFLM with CMSIS-NN."""

CODE_TARGET_BYTES = 14 * 1024
"""Flash for everything that is not constants of the model: kernels, runtime, HAL, protocol."""

OTHER_TARGET, DENSE_TARGET = 0.5, 0.75
"""Share of CMSIS-NN's instructions that a network, and a fully connected layer, may take."""

PORTABLE_TARGET = 2.5
"""Instructions on a core without the DSP extension over ours on a Cortex-M4."""


@dataclass(frozen=True)
class LayerFigures:
    """Instructions per MAC of a layer, (low, high) over the shapes that were measured. None: not known.

    `extrapolated` figures are of the nearest layer that was measured.
    """

    cmsis_nn: tuple[float, float]
    tinyengine: tuple[float, float] | None
    extrapolated: bool = False

    @property
    def cmsis_nn_middle(self) -> float:
        return sum(self.cmsis_nn) / 2


def layer_figures(graph: Graph, op: Op) -> LayerFigures | None:
    """The figures for a layer with weights, None where there are none: groups, and unusual depthwise windows.

    TinyEngine's are for its specialised kernels; they round differently from TFLite.
    """
    if op.kind is OpKind.FULLY_CONNECTED:
        return LayerFigures((2.21, 2.21), None)
    weights = graph.tensors[op.inputs[1]].shape if len(op.inputs) > 1 else ()
    if isinstance(op.attributes, DepthwiseConv2DAttributes):
        return _depthwise(op.attributes, weights)
    if isinstance(op.attributes, Conv2DAttributes):
        return _convolution(op.attributes, weights, graph.tensors[op.inputs[0]].shape[3])
    return None


def _depthwise(attributes: DepthwiseConv2DAttributes, weights: tuple[int, ...]) -> LayerFigures | None:
    if attributes.depth_multiplier != 1:
        return None
    figures = {
        (3, 1): LayerFigures((7.9, 7.9), (6.9, 6.9)),
        (3, 2): LayerFigures((8.3, 8.3), (7.7, 7.7)),
        (5, 1): LayerFigures((8.4, 9.2), (4.7, 6.3)),
        (5, 2): LayerFigures((8.4, 9.2), (4.7, 6.3)),
        (7, 1): LayerFigures((7.1, 8.8), (3.6, 4.5)),
        (7, 2): LayerFigures((7.1, 8.8), (3.6, 4.5)),
    }
    square = weights[1] == weights[2] and attributes.stride[0] == attributes.stride[1]
    return figures.get((weights[1], attributes.stride[0])) if square else None


def _convolution(attributes: Conv2DAttributes, weights: tuple[int, ...], channels: int) -> LayerFigures | None:
    _, height, width, inputs = weights
    if inputs != channels:
        return None
    if (height, width) == (1, 1):
        # 1.53 K + 41 per output of K input channels; TinyEngine's is an average over networks.
        per_mac = 1.53 + 41 / inputs
        return LayerFigures((per_mac, per_mac), (2.37, 2.37))
    if inputs <= 4:
        measured = (height, width, inputs) == (3, 3, 3) and attributes.stride == (2, 2)
        return LayerFigures((4.8, 6.1), (2.05, 2.05), extrapolated=not measured)
    return LayerFigures((2.0, 2.1), None, extrapolated=(height, width) != (3, 3))


@dataclass(frozen=True)
class Estimate:
    """CMSIS-NN's instructions for a network, added up by layer.

    Attributes:
        instructions: the sum.
        covered_macs: share of the MACs in layers that have a figure.
        dense_macs: share of the MACs in fully connected layers.
    """

    instructions: int
    covered_macs: float
    dense_macs: float


def estimate(schedule: Schedule, ours: tuple[int, ...]) -> Estimate:
    """Estimate a network from its layers; of the three measured ones it is off by -1 %, +5 % and +11 %.

    Layers without a figure are counted with what they take here, so they favour neither side.
    """
    total, covered, dense = 0.0, 0, 0
    for step, instructions in zip(schedule.steps, ours, strict=True):
        op = schedule.graph.ops[step.ops[-1]]
        figures = layer_figures(schedule.graph, op) if step.macs else None
        total += figures.cmsis_nn_middle * step.macs if figures is not None else instructions
        covered += step.macs if figures is not None else 0
        dense += step.macs if op.kind is OpKind.FULLY_CONNECTED else 0
    macs = max(1, schedule.macs)
    return Estimate(round(total), covered / macs, dense / macs)


def target_ratio(estimated: Estimate) -> float:
    """The share of CMSIS-NN's instructions to stay below, by how much of the network is fully connected."""
    return DENSE_TARGET * estimated.dense_macs + OTHER_TARGET * (1 - estimated.dense_macs)
