"""ADD of equal shapes, with a plane and without one: every bit, and what an element takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import Toolchain
from tinynas.graph import Activation, DType, Graph, GraphBuilder, Quantization
from tinynas.kernels import InstructionSet, plane_of_add
from tinynas.lowering import Schedule, lower
from tinynas.targets import CORES
from tinynas.testing.layers import LayerImage, check_layers, layer_of

_COUNTS = (1, 2, 3, 4, 5, 7, 8, 9, 30, 64, 65)
_Quantizations = tuple[Quantization, Quantization, Quantization]


def _of(*pairs: tuple[float, int]) -> _Quantizations:
    a, b, output = (Quantization((scale,), (zero_point,)) for scale, zero_point in pairs)
    return a, b, output


_WITH_PLANE = {
    "usual": _of((0.0213, -12), (0.01719, 5), (0.02571, -3)),
    "twice the same": _of((0.02, 3), (0.02, 3), (0.04, 3)),
    "saturating": _of((0.02, -128), (0.03, 127), (0.011, 40)),
    "far apart": _of((0.0001, 127), (0.05, -128), (0.06, -128)),
}
_WITHOUT_PLANE = {
    "no plane": _of((0.047078259070449574, -66), (0.04171340993546895, 7), (0.0378173158409293, -41)),
    "beyond 32 bits": _of((0.5, -20), (0.4, 11), (0.001, 4)),
}


def _add(count: int, quantizations: _Quantizations, activation: Activation = Activation.NONE, *, twice: bool) -> Graph:
    """One ADD, which is in place; or two, the first of which is not, since the second needs both operands."""
    b = GraphBuilder("add", DType.INT8)
    operands = [b.input((1, 1, 1, count), name) for name in ("a", "b")]
    graph = b.build([b.add(*operands, activation=activation, name=f"sum{i}") for i in range(1 + twice)])
    roles = dict(zip(operands, quantizations, strict=False))
    tensors = (replace(t, quantization=roles.get(i, quantizations[2])) for i, t in enumerate(graph.tensors))
    return replace(graph, tensors=tuple(tensors))


def _in_place(schedule: Schedule) -> list[bool]:
    return [step.output_buffer in step.input_buffers for step in schedule.steps]


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4f"])
def test_layers_with_a_plane_and_without_one(core: str, toolchain: Toolchain, tmp_path: Path) -> None:
    instruction_set = InstructionSet.of(CORES[core])
    layers = []
    for name, quantizations in (_WITH_PLANE | _WITHOUT_PLANE).items():
        for count in _COUNTS:
            for activation in (Activation.NONE, Activation.RELU6):
                for twice in (False, True):
                    graph = _add(count, quantizations, activation, twice=twice)
                    schedule = lower(graph, instruction_set=instruction_set)
                    assert schedule.variants == {"add"}
                    assert _in_place(schedule) == ([False, True] if twice else [True])
                    plane = plane_of_add(schedule.call(schedule.steps[0]))
                    # Behind a clamp fewer steps are left that a plane has to follow.
                    assert (plane is not None) == (name in _WITH_PLANE) or activation is Activation.RELU6
                    layers.append(layer_of(f"{name} {activation} {count}", schedule))
    results = list(check_layers(LayerImage(layers, CORES[core], toolchain, tmp_path)))
    assert [f"{result.description}: {result}" for result in results if not result.passed] == []


@pytest.mark.parametrize(("core", "most"), [("cortex-m0plus", 17), ("cortex-m4f", 6.75)])
def test_features_explain_the_instructions(core: str, most: float, fitted_toolchain: Toolchain, tmp_path: Path) -> None:
    schedules = [
        lower(_add(count, quantizations, twice=False), instruction_set=InstructionSet.of(CORES[core]))
        for quantizations in (_WITH_PLANE["usual"], _WITHOUT_PLANE["no plane"])
        for count in (1, 2, 3, 4, 5, 6, 17, 64, 100, 111)
    ]
    layers = [layer_of(str(index), schedule) for index, schedule in enumerate(schedules)]
    results = list(check_layers(LayerImage(layers, CORES[core], fitted_toolchain, tmp_path)))
    features = np.array([list(schedule.steps[0].features.values()) for schedule in schedules], np.float64)
    counts = np.array([result.instructions for result in results], np.float64)
    coefficients, *_ = np.linalg.lstsq(features, counts, rcond=None)
    np.testing.assert_allclose(features @ coefficients, counts, rtol=1e-9)
    names = list(schedules[0].steps[0].features)
    assert coefficients[names.index("elements")] + coefficients[names.index("fours")] / 4 == pytest.approx(most)
