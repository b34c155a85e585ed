"""Lowering: which tensors share storage, and which steps work in place."""

from __future__ import annotations

import pytest
from small_schedules import builder, sharing, variants

from tinynas.graph import Padding
from tinynas.kernels import InstructionSet
from tinynas.lowering import lower
from tinynas.memory import plan_arena


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
        ({"kernel_size": 9, "channels": 14}, "depthwise_conv_2d_channel_buffer", True),  # 896
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
        (9, 8, 3, "depthwise_conv_2d_swar_3x3", 4 * (19 + 9 + 7 * 10)),
        (8, 9, 3, "depthwise_conv_2d_swar_3x3", 4 * (19 + 9 + 7 * 10)),
        (8, 8, (3, 5), "depthwise_conv_2d_swar", 4 * (19 + 18 + 6 * 13)),  # with a zero, rows have six weights
        (1, 20, 3, "depthwise_conv_2d_swar_3x3", 4 * (19 + 9 + 12 * 3)),
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
    assert variants(schedule) == ["conv_2d_im2col"]
    assert sharing(schedule) == [{"input", "first"}, {"conv", "last"}]
    only = lower((lambda c: c.build([c.reshape(c.input((2, 3)), (6,), name="r")]))(builder()))
    assert only.steps == ()
    assert only.buffer_of[only.inputs[0]] == only.buffer_of[only.outputs[0]]
