"""Layers that are tables: the reference's values, whole and by rows on the emulated core, in patches on the host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from host_models import build_models

from tinynas.boards import load_toolchain
from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder, Op, OpKind, Quantization, Tensor, UnaryAttributes, execute
from tinynas.latency import instruction_quantity, latency_model_path, load_latency_model, with_random_constants
from tinynas.lowering import Lowering, PatchPlan, Schedule, StreamPlan, lower
from tinynas.memory import NativeMemoryModel, plan_arena
from tinynas.targets import CORES, load_board
from tinynas.testing.layers import LayerImage, check_layers, layer_of


def _network() -> Graph:
    builder = GraphBuilder("swish", DType.INT8)
    x = builder.input((1, 9, 7, 3))
    x = builder.conv_2d(x, 6, 3, name="conv")
    (x,) = builder.operator(OpKind.HARD_SWISH, [x], UnaryAttributes(), name="swish")
    x = builder.depthwise_conv_2d(x, 3, stride=2, name="depthwise")
    (x,) = builder.operator(OpKind.LOGISTIC, [x], UnaryAttributes(), name="gate")
    return with_random_constants(builder.build([builder.conv_2d(x, 5, 1, name="last")]), seed=3)


SCHEDULES = {
    "whole": lower(_network()),
    "patches": lower(_network(), PatchPlan(4, 3)),
    "rows": lower(_network(), streams=[StreamPlan(0, (1, 1, 1, 1, 1))]),
    "two rows a call": lower(_network(), streams=[StreamPlan(1, (2, 1, 1))]),
}


@pytest.mark.parametrize("name", ["whole", "rows", "two rows a call"])
def test_all_tensors_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    layer = layer_of(name, SCHEDULES[name])
    (result,) = check_layers(LayerImage([layer], CORES["cortex-m4f"], load_toolchain("zig"), tmp_path))
    assert result.passed, result.complaint


def test_in_patches_the_outputs_are_those_of_the_reference(tmp_path: Path) -> None:
    graph = _network()
    (model,) = build_models([graph], tmp_path, [PatchPlan(4, 3)])
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, (1, 9, 7, 3)).astype(np.int8)
        np.testing.assert_array_equal(model.run(x)[0], execute(graph, [x])[graph.outputs[0]])


@pytest.mark.parametrize("scale", [0.4, 1.0, 5.0, 1e4])
def test_a_table_of_large_inputs_is_packed_without_a_warning(scale: float, tmp_path: Path) -> None:
    x, y = Quantization((scale,), (127,)), Quantization((1 / 256,), (-128,))
    tensors = (Tensor("x", (1, 4), DType.INT8, x), Tensor("y", (1, 4), DType.INT8, y))
    graph = Graph(tensors, (Op(OpKind.LOGISTIC, (0,), (1,), UnaryAttributes(), "gate"),), (0,), (1,))
    schedule = lower(graph)
    assert generate(schedule, plan_arena(schedule), tmp_path).sources


def test_alone_it_works_in_place() -> None:
    schedule = SCHEDULES["whole"]
    tables = [step for step in schedule.steps if step.variant == "lookup_table"]
    assert [step.output_buffer in step.input_buffers for step in tables] == [True, True]
    assert [step.scratch_bytes for step in tables] == [0, 0]


def _tables_bytes(schedule: Schedule) -> int:
    return sum(part.constant_bytes for part in schedule.parts if part.variant == "lookup_table")


def test_patches_and_rows_share_a_table() -> None:
    """Each takes its 256 bytes once; calls of another shape have structures of their own."""
    whole, patched = _tables_bytes(SCHEDULES["whole"]), _tables_bytes(SCHEDULES["patches"])
    assert whole == 2 * (256 + 8 + 12)
    assert whole < patched < whole + 256
    assert _tables_bytes(SCHEDULES["rows"]) < whole + 256


def test_the_models_know_it_on_every_core() -> None:
    for board in map(load_board, ("virt-m0plus", "virt-m4", "virt-m7", "virt-m33")):
        schedule = Lowering.for_core(board.core)(_network())
        (elements,) = {step.features["elements"] for step in schedule.steps if step.name == "swish"}
        for toolchain in ("zig", "gcc"):
            flash = NativeMemoryModel.for_board(board, toolchain).flash(schedule)
            assert flash.code_bytes > 0
            shipped = load_latency_model(latency_model_path(board.core.name, toolchain))
            model = shipped.counting(instruction_quantity(board))
            assert model is not None
            prediction = model.predict(schedule)
            (swish,) = [p.value for p in prediction.steps if schedule.steps[p.index].name == "swish"]
            assert swish == pytest.approx((9 if board.core.name == "cortex-m0plus" else 6) * elements, abs=25)
