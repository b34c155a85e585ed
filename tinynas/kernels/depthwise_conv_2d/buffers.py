"""Channel buffers, into which depthwise kernels gather one channel: how they lie, and how large they are."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from tinynas.graph import DepthwiseConv2DAttributes, Window
from tinynas.kernels._constants import WORD
from tinynas.kernels._kernel import KernelCall, pairs, words


class ChannelBuffer(NamedTuple):
    """One channel of a call as kernels see it that gather it; all pairs are (rows, columns) of its buffer.

    Attributes:
        transposed: Whether rows of the buffer are columns of the image.
        inputs: Of the input.
        outputs: Of the output.
        kernel: Of the window.
        stride: Of the window.
        padding: Before the input.
        size: Of what lies in scratch: the padded input, as far as windows reach.
    """

    transposed: bool
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    size: tuple[int, int]


def channel_buffer_of(call: KernelCall) -> ChannelBuffer:
    """The buffer of a call without dilation, of int16.

    It is transposed where the output is higher than wide: long rows are cheaper. That looks at the whole operator, so
    that bands of it agree, which share their weights. Columns are even, so that every row starts at a word, and reach
    as far as the windows of an even number of outputs with an even number of taps: kernels compute two outputs at a
    time from pairs of neighbours.
    """
    _, height, width, _ = call.graph.tensors[call.op.outputs[0]].shape
    return _oriented(call, transposed=height > width, in_pairs=True)


def ch4_buffer_of(call: KernelCall) -> ChannelBuffer:
    """The buffer of a call that is computed four channels at a time: as the image lies, as far as windows reach."""
    return _oriented(call, transposed=False)


def swar_buffer_of(call: KernelCall, paired: bool) -> ChannelBuffer:
    """The buffer of a call without dilation for Armv6-M: a word holds two pixels, half the output's rows apart.

    It is transposed where the output is wider than high: cut in half along the longer side, it takes the least scratch.
    Rows are those of half the outputs, rounded up. `paired`: see `swar_row_words`.
    """
    _, height, width, _ = call.graph.tensors[call.op.outputs[0]].shape
    buffer = _oriented(call, transposed=width > height)
    kernel, stride = buffer.kernel, buffer.stride
    rows = (pairs(buffer.outputs[0]) - 1) * stride[0] + kernel[0]
    reach = (buffer.outputs[1] - 1) * stride[1] + swar_row_words(kernel, paired)
    return buffer._replace(size=(rows, max(buffer.padding[1] + buffer.inputs[1], reach)))


def swar_row_words(kernel: tuple[int, int], paired: bool) -> int:
    """Weights that a kernel for Armv6-M reads for each row of a window. Paired, an odd row ends with a zero."""
    return 2 * pairs(kernel[1]) if paired else kernel[1]


def _oriented(call: KernelCall, *, transposed: bool, in_pairs: bool = False) -> ChannelBuffer:
    """The buffer of a call as the image lies, or transposed, as far as windows reach; of columns and taps in pairs."""
    inputs, outputs = (call.input.shape[1], call.input.shape[2]), (call.output.shape[1], call.output.shape[2])
    return _buffer(call.window, inputs, outputs, (call.padding[0], call.padding[2]), transposed, in_pairs)


@lru_cache(maxsize=65536)
def _buffer(
    window: Window,
    inputs: tuple[int, int],
    outputs: tuple[int, int],
    padding: tuple[int, int],
    transposed: bool,
    in_pairs: bool,
) -> ChannelBuffer:
    """The same by what it depends on, each pair as (vertical, horizontal)."""
    kernel, stride = window.filter_size, window.stride
    if transposed:
        inputs, outputs, kernel, stride, padding = map(_swapped, (inputs, outputs, kernel, stride, padding))
    rows = max(padding[0] + inputs[0], (outputs[0] - 1) * stride[0] + kernel[0])
    columns = max(padding[1] + inputs[1], (outputs[1] - 1) * stride[1] + kernel[1])
    if in_pairs:
        reach = (2 * pairs(outputs[1]) - 1) * stride[1] + 2 * pairs(kernel[1])
        columns = 2 * pairs(max(columns, reach))
    return ChannelBuffer(transposed, inputs, outputs, kernel, stride, padding, (rows, columns))


def _swapped(sizes: tuple[int, int]) -> tuple[int, int]:
    return sizes[1], sizes[0]


def has_channel_buffer(call: KernelCall) -> bool:
    """Depth multiplier 1 and no dilation."""
    attributes = call.op.attributes
    return (
        isinstance(attributes, DepthwiseConv2DAttributes)
        and attributes.depth_multiplier == 1
        and attributes.dilation == (1, 1)
    )


def shrinks(call: KernelCall) -> bool:
    """Whether a smaller output takes the place of one end of its input.

    The input must lie there by itself (the planner keeps to the ends of the arena), in whole words, so that its pixels
    are pixels of the input.
    """
    before, after = call.input.size_bytes, call.output.size_bytes
    return call.input_alone and after < before and before % WORD == after % WORD == 0


def channel_words(taps: int) -> int:
    """Words of one channel's constants: bias, multiplier, and in bytes the weights and a shift."""
    return 2 + words(taps + 1) // WORD
