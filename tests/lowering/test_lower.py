"""Lowering: what is fused, aliased, removed, shared and refused; and that a chain lowers block by block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import DType, Graph, GraphBuilder, OpKind, Padding, count_macs
from tinynas.lowering import CATALOGUE, InstructionSet, Schedule, UnsupportedGraphError, lower
from tinynas.memory import plan_arena
from tinynas.testing import random_int8_graph


def builder() -> GraphBuilder:
    return GraphBuilder("network", DType.INT8)


def sharing(schedule: Schedule) -> list[set[str]]:
    """Names of the tensors of each buffer that holds more than one."""
    tensors = schedule.graph.tensors
    return [{tensors[t].name for t in buffer.tensors} for buffer in schedule.buffers if len(buffer.tensors) > 1]


def variants(schedule: Schedule) -> list[str]:
    return [step.variant for step in schedule.steps]


@pytest.mark.parametrize(
    ("kind", "padding", "expected"),
    [
        ("conv_2d", Padding.VALID, (1, 2, 3, 4)),
        ("conv_2d", Padding.SAME, (2, 3, 4, 5)),
        ("depthwise_conv_2d", Padding.VALID, (1, 2, 3, 4)),
    ],
)
def test_pad_is_fused_into_convolutions(kind: str, padding: Padding, expected: tuple[int, int, int, int]) -> None:
    b = builder()
    x = b.input((1, 8, 8, 4))
    padded = b.pad(x, [(0, 0), (1, 2), (3, 4), (0, 0)], name="pad")
    arguments = (4, 3) if kind == "conv_2d" else (3,)
    schedule = lower(b.build([getattr(b, kind)(padded, *arguments, padding=padding, name="conv")]))
    (step,) = schedule.steps
    assert step.padding == expected
    assert step.inputs == (x,)
    assert [schedule.graph.ops[i].kind for i in step.ops] == [
        OpKind.PAD,
        OpKind.CONV_2D if arguments == (4, 3) else OpKind.DEPTHWISE_CONV_2D,
    ]
    assert padded not in schedule.buffer_of


@pytest.mark.parametrize("case", ["max_pool", "average_pool", "channels", "output", "two readers"])
def test_pad_stays_where_it_is_not_a_convolutions_padding(case: str) -> None:
    b = builder()
    x = b.input((1, 8, 8, 4))
    padded = b.pad(x, [(0, 0), (1, 1), (1, 1), (0, 1 if case == "channels" else 0)], name="pad")
    outputs = {
        "max_pool": lambda: [b.max_pool_2d(padded, 2, name="pool")],
        "average_pool": lambda: [b.average_pool_2d(padded, 2, name="pool")],
        "channels": lambda: [b.conv_2d(padded, 4, 3, name="conv")],
        "output": lambda: [b.conv_2d(padded, 4, 3, name="conv"), padded],
        "two readers": lambda: [b.conv_2d(padded, 4, 3, name="conv"), b.max_pool_2d(padded, 2, name="pool")],
    }[case]()
    assert variants(lower(b.build(outputs)))[0] == "pad"


def test_edges_are_removed_and_the_interface_is_int8() -> None:
    b = builder()
    x = b.input((1, 4, 4, 2), dtype=DType.FLOAT32)
    q = b.quantize(x, name="in")
    y = b.conv_2d(q, 3, 3, name="conv")
    schedule = lower(b.build([b.dequantize(y, name="out")]))
    assert variants(schedule) == ["conv_2d"]
    assert schedule.inputs == (q,)
    assert schedule.outputs == (y,)
    assert x not in schedule.buffer_of


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda b: b.quantize(b.dequantize(b.input((1, 4, 4, 2)), name="inner"), name="again"), "inner"),
        (lambda b: b.mean(b.input((1, 4, 4, 2)), axes=(1, 3), name="holes"), "holes"),
        (lambda b: b.softmax(b.input((1, 5000)), name="long"), "long"),
        (lambda b: b.conv_2d(b.input((2, 4, 4, 2)), 2, 1, name="two images"), "two images"),
        (lambda b: b.conv_2d(b.input((1, 1, 70000, 1)), 2, 1, name="long line"), "long line"),
    ],
)
def test_what_no_kernel_covers_is_refused_by_name(make: Callable[[GraphBuilder], int], named: str) -> None:
    b = builder()
    graph = b.build([make(b)])
    with pytest.raises(UnsupportedGraphError, match=repr(named)) as error:
        lower(graph)
    assert "\n" not in str(error.value)


def test_a_float_graph_is_refused_by_name() -> None:
    b = GraphBuilder("float")
    with pytest.raises(UnsupportedGraphError, match=r"'image'.*quantize the model first"):
        lower(b.build([b.conv_2d(b.input((1, 4, 4, 2), name="image"), 2, 1, name="c")]))


def test_variants_follow_shapes() -> None:
    b = builder()
    x = b.input((1, 8, 8, 6))
    x = b.conv_2d(x, 8, 1, name="pointwise")
    x = b.conv_2d(x, 8, 1, stride=2, name="strided")
    x = b.conv_2d(x, 8, 3, groups=2, name="grouped")
    x = b.depthwise_conv_2d(x, 5, stride=2, name="depthwise")
    x = b.depthwise_conv_2d(x, 3, depth_multiplier=2, name="multiplied")
    s = b.mean(x, keep_dims=True, name="squeeze")
    s = b.conv_2d(s, 16, 1, name="one pixel")
    x = b.mul(x, s, name="excite")
    x = b.add(x, x, name="twice")
    x = b.reshape(b.mean(x, name="pool"), (1, 16))
    x = b.fully_connected(x, 3, name="head")
    schedule = lower(b.build([x]))
    assert variants(schedule) == [
        *("conv_1x1", "conv_2d_im2col", "conv_2d", "depthwise_conv_2d", "conv_2d", "mean", "conv_2d", "mul_broadcast"),
        *("add", "mean", "fully_connected_in_fours"),
    ]


def test_the_sum_of_a_residual_block_overwrites_its_branch() -> None:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 4)), 8, 3, name="stem")
    y = b.conv_2d(b.conv_2d(x, 16, 1, name="expand"), 8, 1, name="project")
    for operands in ((x, y), (y, x)):
        schedule = lower(b.build([b.add(*operands, name=f"sum{operands[0]}")]))
        assert sharing(schedule) == [{"project", f"sum{operands[0]}"}]


def test_outputs_and_what_is_read_again_are_not_overwritten() -> None:
    b = builder()
    x = b.input((1, 4, 4, 8))
    y = b.conv_2d(x, 8, 3, name="branch")
    cases = {
        "network output": lambda: [b.add(y, y, name="a2"), y],
        "read again": lambda: [b.mul(b.add(x, y, name="a3"), b.conv_2d(y, 8, 1, name="c3"), name="m3")],
        "output of another shape": lambda: [b.add(y, y, name="a4"), b.reshape(y, (1, 128), name="r4")],
        "read again in another shape": lambda: [
            b.add(b.add(y, y, name="a5"), b.transpose(b.reshape(y, (1, 4, 4, 8)), (0, 2, 1, 3)), name="b5")
        ],
    }
    for name, outputs in cases.items():
        shared = [group for group in sharing(lower(b.build(outputs()))) if "branch" in group]
        assert not any(member.startswith("a") for group in shared for member in group), name


def test_inputs_and_what_is_alive_alone_are_overwritten() -> None:
    b = builder()
    x = b.input((1, 4, 4, 8))
    assert sharing(lower(b.build([b.add(x, x, name="twice")]))) == [{"input", "twice"}]
    y = b.quantize(b.conv_2d(x, 8, 1, name="alone"), name="requantized")
    assert sharing(lower(b.build([y]))) == [{"alone", "requantized"}]


def _depthwise(size: int, **arguments: object) -> tuple[str, bool]:
    """The variant of a depthwise convolution behind a pointwise one, and whether it works in place."""
    arguments = dict(arguments)
    again = arguments.pop("again", False)
    b = builder()
    x = b.conv_2d(b.input((1, size, size, 2)), int(str(arguments.pop("channels", 16))), 1, name="expand")
    y = b.depthwise_conv_2d(x, name="depthwise", **arguments)  # type: ignore[arg-type]  # a table of arguments
    outputs = [b.add(x, y, name="sum")] if again else [y]
    step = lower(b.build(outputs)).steps[1]
    return step.variant, step.output_buffer in step.input_buffers


@pytest.mark.parametrize(
    ("arguments", "variant", "in_place"),
    [
        ({"kernel_size": 3}, "depthwise_conv_2d_3x3", True),
        ({"kernel_size": 7}, "depthwise_conv_2d_width_7", True),
        ({"kernel_size": 3, "dilation": 2}, "depthwise_conv_2d", False),
        ({"kernel_size": 3, "depth_multiplier": 2}, "conv_2d", False),
        ({"kernel_size": 3, "again": True}, "depthwise_conv_2d_3x3", False),
        # Of windows 9 wide a padded plane takes 2 * 16 * 18 bytes and weights 4 * 9 * 8, together 864.
        ({"kernel_size": 9, "channels": 13}, "depthwise_conv_2d", False),  # the input has 832
        ({"kernel_size": 9, "channels": 14}, "depthwise_conv_2d_planar", True),  # 896
    ],
)
def test_a_depthwise_convolution_works_in_place_where_that_takes_less(
    arguments: dict[str, object], variant: str, in_place: bool
) -> None:
    assert _depthwise(8, **arguments) == (variant, in_place)


@pytest.mark.parametrize(
    ("height", "width", "kernel", "variant", "scratch"),
    [
        # 19 words and the weights, then rows for half the outputs, rounded up, of padded columns.
        (9, 8, 3, "depthwise_conv_2d_half_planes_3x3", 4 * (19 + 9 + 7 * 10)),
        (8, 9, 3, "depthwise_conv_2d_half_planes_3x3", 4 * (19 + 9 + 7 * 10)),
        (8, 8, (3, 5), "depthwise_conv_2d_half_planes", 4 * (19 + 18 + 6 * 13)),  # with a zero, rows have six weights
        (1, 20, 3, "depthwise_conv_2d_half_planes_3x3", 4 * (19 + 9 + 12 * 3)),
        (2, 2, 3, "depthwise_conv_2d", 0),  # scratch would be larger than the input
    ],
)
def test_depthwise_convolutions_on_armv6m(
    height: int, width: int, kernel: int | tuple[int, int], variant: str, scratch: int
) -> None:
    b = builder()
    graph = b.build([b.depthwise_conv_2d(b.input((1, height, width, 32)), kernel, name="depthwise")])
    step = lower(graph, instruction_set=InstructionSet.ARMV6M).steps[0]
    assert (step.variant, step.scratch_bytes) == (variant, scratch)


@pytest.mark.parametrize(
    ("arguments", "shrinks"),
    [
        ({"stride": 2}, True),
        ({"padding": Padding.VALID}, True),
        ({"stride": 2, "channels": 3}, False),  # 8 x 8 x 3 bytes are less than a padded plane
        ({"stride": 2, "channels": 6, "size": 9}, False),  # not whole words
        ({"stride": 2, "depth_multiplier": 2}, False),
    ],
)
def test_a_smaller_output_takes_the_place_of_one_end_of_its_input(arguments: dict[str, object], shrinks: bool) -> None:
    b = builder()
    arguments = dict(arguments)
    size, channels = int(str(arguments.pop("size", 8))), int(str(arguments.pop("channels", 16)))
    x = b.conv_2d(b.input((1, size, size, 2)), channels, 1, name="expand")
    y = b.depthwise_conv_2d(x, 3, name="depthwise", **arguments)  # type: ignore[arg-type]  # a table of arguments
    schedule = lower(b.build([b.conv_2d(y, 3, 1, name="project")]))
    assert schedule.steps[1].shrinks is shrinks
    if shrinks:
        plan = plan_arena(schedule)
        expanded = size * size * channels
        assert (
            plan.arena_bytes
            == plan.lower_bound_bytes
            == expanded + max(size * size * 2 + schedule.steps[0].scratch_bytes, schedule.steps[1].scratch_bytes)
        )
        ends = [plan.offsets[b] + schedule.buffers[b].size_bytes for b in (1, 2)]
        assert plan.offsets[1] == plan.offsets[2] or ends[0] == ends[1]
        plane = plan.scratch_offsets[1], plan.scratch_offsets[1] + schedule.steps[1].scratch_bytes
        assert plane[1] <= plan.offsets[1] or plan.offsets[1] + expanded <= plane[0]


def test_what_is_not_alone_does_not_shrink() -> None:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 16, 1, name="expand")
    y = b.max_pool_2d(x, 2, name="beside")
    z = b.depthwise_conv_2d(x, 3, stride=2, name="depthwise")
    assert not lower(b.build([b.add(y, z, name="sum")])).steps[2].shrinks


def test_an_inverted_bottleneck_takes_one_expanded_tensor_and_a_plane() -> None:
    b = builder()
    x = b.input((1, 16, 16, 8))
    y = b.conv_2d(x, 48, 1, name="expand")
    y = b.conv_2d(b.depthwise_conv_2d(y, 3, name="depthwise"), 8, 1, name="project")
    expanded, narrow, columns = 16 * 16 * 48, 16 * 16 * 8, 4 * 4 * 48 // 2
    assert plan_arena(lower(b.build([y]))).arena_bytes == expanded + narrow + columns
    assert plan_arena(lower(b.build([b.add(x, y, name="sum")]))).arena_bytes == expanded + 2 * narrow + columns


def test_reshape_is_an_alias_wherever_it_stands() -> None:
    b = builder()
    x = b.reshape(b.input((1, 4, 4, 2)), (1, 2, 8, 2), name="first")
    y = b.reshape(b.conv_2d(x, 3, 3, name="conv"), (1, 48), name="last")
    schedule = lower(b.build([y]))
    assert variants(schedule) == ["conv_2d"]
    assert sharing(schedule) == [{"input", "first"}, {"conv", "last"}]
    only = lower((lambda c: c.build([c.reshape(c.input((2, 3)), (6,), name="r")]))(builder()))
    assert only.steps == ()
    assert only.buffer_of[only.inputs[0]] == only.buffer_of[only.outputs[0]]


# A block takes and returns [1, 8, 8, 8]. Each entry grows one; names tell them apart.
def _plain(b: GraphBuilder, x: int, name: str) -> int:
    return b.conv_2d(x, 8, 3, name=f"{name}.conv")


def _residual(b: GraphBuilder, x: int, name: str) -> int:
    y = b.conv_2d(x, 24, 1, name=f"{name}.expand")
    y = b.depthwise_conv_2d(y, 3, name=f"{name}.depthwise")
    return b.add(x, b.conv_2d(y, 8, 1, name=f"{name}.project"), name=f"{name}.add")


def _squeeze(b: GraphBuilder, x: int, name: str) -> int:
    y = b.conv_2d(x, 8, 3, name=f"{name}.conv")
    s = b.conv_2d(b.mean(y, keep_dims=True, name=f"{name}.mean"), 8, 1, name=f"{name}.gate")
    return b.add(b.mul(y, s, name=f"{name}.mul"), x, name=f"{name}.add")


def _requantizing(b: GraphBuilder, x: int, name: str) -> int:
    y = b.quantize(x, name=f"{name}.q1")
    return b.quantize(b.add(y, y, name=f"{name}.twice"), name=f"{name}.q2")


def _branches(b: GraphBuilder, x: int, name: str) -> int:
    left = b.quantize(b.conv_2d(x, 4, 1, name=f"{name}.left"), name=f"{name}.requantize")
    right = b.depthwise_conv_2d(b.conv_2d(x, 4, 1, name=f"{name}.right"), 3, name=f"{name}.depthwise")
    return b.concatenation([left, b.mul(right, right, name=f"{name}.square")], name=f"{name}.join")


def _reshaping(b: GraphBuilder, x: int, name: str) -> int:
    y = b.reshape(x, (1, 4, 16, 8), name=f"{name}.r1")
    return b.reshape(b.conv_2d(y, 8, 3, name=f"{name}.conv"), (1, 8, 8, 8), name=f"{name}.r2")


def _padding(b: GraphBuilder, x: int, name: str) -> int:
    y = b.pad(x, [(0, 0), (0, 1), (1, 0), (0, 0)], name=f"{name}.pad")
    return b.conv_2d(y, 8, 2, padding=Padding.VALID, name=f"{name}.conv")


def _in_place(b: GraphBuilder, x: int, name: str) -> int:
    return b.depthwise_conv_2d(x, 3, name=f"{name}.depthwise")


def _shrinking(b: GraphBuilder, x: int, name: str) -> int:
    y = b.depthwise_conv_2d(b.conv_2d(x, 32, 1, name=f"{name}.expand"), 3, stride=2, name=f"{name}.depthwise")
    return b.resize_nearest_neighbor(b.conv_2d(y, 8, 1, name=f"{name}.project"), (8, 8), name=f"{name}.up")


def _self_gated(b: GraphBuilder, x: int, name: str) -> int:
    gate = b.conv_2d(b.mean(x, keep_dims=True, name=f"{name}.mean"), 8, 1, name=f"{name}.gate")
    return b.mul(x, gate, name=f"{name}.mul")


_BLOCKS = (
    _plain,
    _residual,
    _squeeze,
    _requantizing,
    _branches,
    _reshaping,
    _padding,
    _in_place,
    _shrinking,
    _self_gated,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_BLOCKS), min_size=1, max_size=6))
def test_a_chain_lowers_to_the_concatenation_of_its_blocks(
    blocks: list[Callable[[GraphBuilder, int, str], int]],
) -> None:
    b = builder()
    x = b.input((1, 8, 8, 8))
    alone = []
    for i, block in enumerate(blocks):
        x = block(b, x, f"b{i}")
        c = builder()
        alone.append(lower(c.build([block(c, c.input((1, 8, 8, 8), name="input"), f"b{i}")])))
    whole = lower(b.build([x]))

    def facts(schedule: Schedule) -> list[object]:
        return [
            (s.variant, s.name, s.macs, s.padding, s.scratch_bytes, s.constant_bytes, dict(s.features))
            for s in schedule.steps
        ]

    assert facts(whole) == [fact for schedule in alone for fact in facts(schedule)]
    # Storage is shared inside blocks only: the same pairs of step outputs live together.
    assert _in_place_steps(whole) == [name for schedule in alone for name in _in_place_steps(schedule)]
    assert plan_arena(whole).arena_bytes == max(plan_arena(schedule).arena_bytes for schedule in alone)


def _in_place_steps(schedule: Schedule) -> list[str]:
    return [step.name for step in schedule.steps if step.output_buffer in step.input_buffers]


def _check_storage(schedule: Schedule) -> None:
    """Every step finds in its input buffers what was written there last, and buffers are alive when they are used."""
    holds = {schedule.buffer_of[t]: t for t in schedule.inputs}
    for step in schedule.steps:
        for t, buffer in zip(step.inputs, step.input_buffers, strict=True):
            assert _same_storage(schedule, holds[buffer], t)
            assert schedule.buffers[buffer].first_step <= step.index <= schedule.buffers[buffer].last_step
        holds[step.output_buffer] = step.output
        assert schedule.buffers[step.output_buffer].last_step >= step.index
    for t in schedule.outputs:
        assert _same_storage(schedule, holds[schedule.buffer_of[t]], t)
        assert schedule.buffers[schedule.buffer_of[t]].last_step == max(0, len(schedule.steps) - 1)


def _same_storage(schedule: Schedule, held: int, wanted: int) -> bool:
    """Whether `wanted` is `held` seen through reshapes."""
    graph = schedule.graph
    while wanted != held:
        producer = graph.producers.get(wanted)
        if producer is None or graph.ops[producer].kind is not OpKind.RESHAPE:
            return False
        wanted = graph.ops[producer].inputs[0]
    return True


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_networks_lower_to_consistent_schedules(seed: int) -> None:
    graph: Graph = random_int8_graph(np.random.default_rng(seed), operators=12)
    schedule = lower(graph)
    _check_storage(schedule)
    assert schedule.macs == count_macs(graph)
    assert schedule.variants <= set(CATALOGUE)
    for step in schedule.steps:
        variant = CATALOGUE[step.variant]
        assert step.features["calls"] == 1
        assert set(step.features) == {"calls", *variant.loops}
        assert all(value >= 0 for value in step.features.values())
        assert step.constant_bytes % 4 == 0


def test_names_of_thousands_of_characters_are_cut_in_messages() -> None:
    b = builder()
    graph = b.build([b.conv_2d(b.input((2, 8, 8, 3), "i" * 3000), 4, 3, name="n" * 3000)])
    with pytest.raises(UnsupportedGraphError, match="one image at a time") as error:
        lower(graph)
    assert len(str(error.value)) < 420
