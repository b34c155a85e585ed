"""The arena for 64-bit hosts: equal to what the `tflite-micro` wheel reports, byte for byte."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from tflm_models import ONE_OPERATOR, known_model, quantized, random_graph, skeleton

from tinynas.formats import read_tflite, tensor_table, write_tflite
from tinynas.graph import REWRITTEN, DType, Graph, GraphBuilder, OpKind
from tinynas.memory.tflm import TflmMemoryModel, TflmSram, TflmUnsupportedError
from tinynas.memory.tflm.operators import OPERATORS
from tinynas.testing import disguised_graph, tflm_arena, tflm_runs_in

HOST = TflmMemoryModel(pointer_bytes=8)

# What the wheel's categories hold, by the names of the tail's items. "Persistent buffer data" is everything that
# kernels allocate.
CATEGORIES = {
    "TfLiteEvalTensor": "TfLiteEvalTensor data",
    "NodeAndRegistration": "NodeAndRegistration struct",
    "TfLiteAffineQuantization": "Persistent TfLiteTensor quantization data",
    "zero points": "Persistent TfLiteTensor quantization data",
    "TfLiteTensor": "Persistent TfLiteTensor data",
}


def assert_equal_to_the_wheel(content: bytes, sram: TflmSram) -> None:
    wheel = tflm_arena(content)
    assert (sram.head_bytes, sram.tail_bytes) == (wheel.head, wheel.tail)
    assert sram.total_bytes == wheel.total
    assert sum(item.size_bytes for item in sram.items) == sram.tail_bytes
    by_category: dict[str, int] = defaultdict(int)
    for item in sram.items:
        if item.what in CATEGORIES:
            by_category[CATEGORIES[item.what]] += item.size_bytes
    assert by_category == {name: wheel.categories[name] for name in by_category}


def assert_exact(graph: Graph) -> None:
    assert_equal_to_the_wheel(write_tflite(graph), HOST.sram(graph))


@pytest.mark.parametrize("seed", range(64))
def test_random_networks(seed: int) -> None:
    assert_exact(random_graph(seed))


@pytest.mark.parametrize("seed", range(24))
def test_files_with_what_converters_leave_in_them(seed: int) -> None:
    """uint8 at the borders, shape arithmetic, EXPAND_DIMS and SQUEEZE, weights computed at run time."""
    rng = np.random.default_rng(seed)
    content = write_tflite(disguised_graph(rng, random_graph(seed)))
    graph, tensors = read_tflite(content), tensor_table(content)
    sram = HOST.sram(graph, tensors)
    assert_equal_to_the_wheel(content, sram)
    assert tflm_runs_in(content, sram.minimum_arena_bytes)
    assert not tflm_runs_in(content, sram.minimum_arena_bytes - 16)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_three_hundred_more_random_networks(block: int) -> None:
    for seed in range(1000 + 30 * block, 1030 + 30 * block):
        assert_exact(random_graph(seed))


@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_every_operator(name: str) -> None:
    assert_exact(quantized(skeleton(ONE_OPERATOR[name])))


def test_every_operator_is_in_the_table() -> None:
    kinds = {op.kind for build in ONE_OPERATOR.values() for op in skeleton(build).ops}
    assert kinds == {kind for kind in OpKind if kind in OPERATORS} - REWRITTEN


@pytest.mark.parametrize("name", ONE_OPERATOR)
def test_a_network_needs_no_weights_to_be_counted(name: str) -> None:
    graph = skeleton(ONE_OPERATOR[name])
    assert HOST.sram(graph) == HOST.sram(quantized(graph))


def test_a_float_network() -> None:
    builder = GraphBuilder(dtype=DType.FLOAT32)
    x = builder.input((1, 4, 4, 3))
    graph = quantized(builder.build([builder.softmax(builder.dequantize(builder.quantize(builder.mean(x))))]))
    assert_exact(graph)


def test_several_inputs_and_outputs() -> None:
    builder = GraphBuilder(dtype=DType.INT8)
    a, b = builder.input((1, 5, 5, 3), "a"), builder.input((1, 5, 5, 3), "b")
    total = builder.add(a, b)
    assert_exact(quantized(builder.build([total, builder.mean(total), a])))


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "person_detect"])
def test_real_models(name: str) -> None:
    content = known_model(name)
    assert_equal_to_the_wheel(content, HOST.sram(read_tflite(content), tensor_table(content)))


@pytest.mark.parametrize("seed", range(0, 64, 4))
def test_the_smallest_arena_is_the_smallest_that_works(seed: int) -> None:
    graph = random_graph(seed)
    content, sram = write_tflite(graph), HOST.sram(graph)
    assert sram.minimum_arena_bytes >= sram.total_bytes
    assert tflm_runs_in(content, sram.minimum_arena_bytes)
    assert not tflm_runs_in(content, sram.minimum_arena_bytes - 16)


def test_the_smallest_arena_of_a_tiny_network_is_set_by_preparing_it() -> None:
    graph = quantized(skeleton(ONE_OPERATOR["wide conv"], (1, 1, 1, 4)))
    content, sram = write_tflite(graph), HOST.sram(graph)
    assert sram.minimum_arena_bytes > sram.total_bytes
    assert tflm_runs_in(content, sram.minimum_arena_bytes)
    assert not tflm_runs_in(content, sram.minimum_arena_bytes - 16)


def test_items_and_live_bytes_name_the_operator_that_causes_them() -> None:
    graph = skeleton(lambda b, x: b.mean(b.conv_2d(x, 6, 3, name="c")))
    sram = HOST.sram(graph)
    assert [(i.what, i.op) for i in sram.items if i.op is not None] == [
        ("TfLiteConvParams", 0),
        ("TfLiteReducerParams", 1),
        ("OpDataConv", 0),
        ("OpDataReduce", 1),
        ("per-channel multipliers", 0),
        ("per-channel shifts", 0),
    ]
    # Input 9 x 7 x 4 = 252 -> 256 and output 9 x 7 x 6 = 378 -> 384; then 384, 6 means and sums of 4 bytes, counters
    # of 4 dimensions and 2 axes, each rounded up to 16.
    assert sram.live_bytes == (256 + 384, 384 + 16 + 32 + 16 + 16)
    assert sram.scratch_bytes == (0, 6 * 4 + 4 * 4 + 2 * 4)
    assert sram.head_lower_bound_bytes == 640


def test_more_inputs_than_tflm_concatenates_are_refused() -> None:
    graph = skeleton(lambda b, x: b.concatenation([x] * 11, name="wide"))
    with pytest.raises(TflmUnsupportedError, match="'wide' has 11 inputs, TFLM takes at most 10"):
        HOST.sram(graph)


@pytest.mark.parametrize(("offline", "message"), [([0], "1 offsets and the file 4"), ([0, -1, -1, -16], "offset -16")])
def test_offline_plans_that_tflm_could_not_follow_are_refused(offline: list[int], message: str) -> None:
    graph = skeleton(ONE_OPERATOR["conv"])
    for ask in (HOST.sram, HOST.plan):
        with pytest.raises(TflmUnsupportedError, match=message):
            ask(graph, offline=offline)


def test_flash_counts_the_weights_and_says_why_code_is_unknown() -> None:
    flash = HOST.flash(skeleton(ONE_OPERATOR["conv"]), file_bytes=1000)
    assert (flash.weights_bytes, flash.file_bytes, flash.code_bytes) == (6 * 3 * 3 * 4 + 6 * 4, 1000, None)
    assert "depends on" in flash.reason


def test_plan_and_sram_agree() -> None:
    graph = random_graph(5)
    plan, sram = HOST.plan(graph), HOST.sram(graph)
    assert (plan.head_bytes, plan.lower_bound_bytes) == (sram.head_bytes, sram.head_lower_bound_bytes)
    assert set(plan.offsets) == {i for i, t in enumerate(graph.tensors) if not t.constant}
    assert [len(plan.scratch_offsets.get(i, ())) > 0 for i in range(len(graph.ops))] == [
        size > 0 for size in sram.scratch_bytes
    ]


@pytest.mark.parametrize(("pointers", "kernels"), [(2, "reference"), (4, "fast")])
def test_a_model_of_nothing_is_refused(pointers: int, kernels: str) -> None:
    with pytest.raises(ValueError, match="not"):
        TflmMemoryModel(pointers, kernels)  # type: ignore[arg-type]  # what a caller without a type checker could pass
