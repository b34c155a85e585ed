"""Operators that training computes in a way of its own equal their definitions, gradients included."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from toy_networks import LARGEST, toy_data

from tinynas.graph import (
    Activation,
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    GraphBuilder,
    Op,
    OpKind,
    Padding,
    UnaryAttributes,
)
from tinynas.training import Augmentation, Sgd, Supernet, TrainingSettings, images_to_tensor, train_subnet
from tinynas.training import _supernet as supernet_module
from tinynas.training.operators import apply_weightless, convolve
from tinynas.training.operators._activation import BOUNDS, bounded_, same_padding


def padded_convolution(op: Op, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """A convolution as TensorFlow defines it: padding by itself, then torch's on contiguous images of all channels."""
    attributes = op.attributes
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    image = x.permute(0, 3, 1, 2).contiguous()
    kernel = weights.permute(0, 3, 1, 2) if op.kind is OpKind.CONV_2D else weights.permute(3, 0, 1, 2)
    if attributes.padding is Padding.SAME:
        vertical, horizontal = (
            same_padding(x.shape[1 + d], weights.shape[1 + d], attributes.stride[d], attributes.dilation[d])
            for d in (0, 1)
        )
        image = F.pad(image, (*horizontal, *vertical))
    groups = x.shape[3] // kernel.shape[1]
    return F.conv2d(image, kernel.contiguous(), bias, attributes.stride, 0, attributes.dilation, groups)


def one_channel_convolution(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
    size: tuple[int, int] = (9, 11),
) -> Op:
    builder = GraphBuilder()
    x = builder.input((1, *size, 1))
    return builder.build(
        [builder.conv_2d(x, 4, kernel, stride=stride, dilation=dilation, padding=padding, name="conv")]
    ).ops[0]


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 2), (3, 1)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 1), (1, 3), (3, 3), (2, 4), (5, 5)])
def test_convolutions_of_one_channel(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> None:
    assert_equals_definition(one_channel_convolution(kernel, stride, dilation, padding), kernel, (9, 11))


@pytest.mark.parametrize("padding", Padding)
@pytest.mark.parametrize("stride", [(1, 1), (1, 4), (2, 3)])
@pytest.mark.parametrize("kernel", [(1, 16), (1, 17), (2, 17), (1, 30)])
def test_wide_kernels_of_one_channel(kernel: tuple[int, int], stride: tuple[int, int], padding: Padding) -> None:
    op = one_channel_convolution(kernel, stride, (1, 1), padding, (3, 40))
    assert_equals_definition(op, kernel, (3, 40))


@pytest.mark.parametrize("columns", [3, 16, 17, 80])
def test_columns_as_channels_take_no_more_than_16_times_the_memory(columns: int) -> None:
    op = one_channel_convolution((1, columns), (1, 1), (1, 1), Padding.VALID, (1, 400))
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    images, weights = torch.rand(2, 1, 400, 1), torch.rand(4, 1, columns, 1, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        convolve(op, images, weights, None)
    assert max(kept.values()) <= 16 * images.untyped_storage().nbytes()


def assert_equals_definition(op: Op, kernel: tuple[int, int], size: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    results = []
    values = [torch.randn(shape, generator=random) for shape in ((3, *size, 1), (4, *kernel, 1), (4,))]
    for function, dtype in ((convolve, torch.float32), (padded_convolution, torch.float64)):
        x, weights, bias = (value.to(dtype).requires_grad_() for value in values)
        y = function(op, x, weights, bias)
        weighted = y * torch.linspace(-1, 1, y.numel(), dtype=dtype).view(y.shape)
        results.append([y, *torch.autograd.grad(weighted.sum(), (x, weights, bias))])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_a_convolution_of_one_channel() -> None:
    op = one_channel_convolution((3, 3), (2, 2), (1, 1), Padding.SAME)
    random = torch.Generator().manual_seed(1)
    shapes = ((2, 9, 11, 1), (4, 3, 3, 1))
    values = [torch.randn(s, generator=random, dtype=torch.float64).requires_grad_() for s in shapes]
    assert torch.autograd.gradcheck(lambda x, weights: convolve(op, x, weights, None), values)


@pytest.mark.parametrize("stride", [(2, 2), (3, 3), (3, 1)])
def test_convolutions_of_one_tap_write_only_within_their_tensors(stride: tuple[int, int]) -> None:
    """In a process of its own, which the C library ends where it finds its heap overwritten."""
    program = f"""
import torch
from tinynas.graph import GraphBuilder
from tinynas.training.operators import convolve

torch.set_num_threads(1)
builder = GraphBuilder()
x = builder.input((1, 12, 12, 4))
op = builder.build([builder.conv_2d(x, 32, 1, stride={stride}, name="conv")]).ops[0]
for repetition in range(400):
    for images in (1, 2, 5):
        x = torch.randn(images, 12, 12, 4, requires_grad=True)
        weights = torch.randn(32, 1, 1, 4, requires_grad=True)
        torch.autograd.grad(convolve(op, x, weights, None).sum(), (x, weights))
"""
    # glibc from 2.34 on looks at MALLOC_CHECK_ in this library alone (mallopt(3)).
    checks = {"MALLOC_CHECK_": "3", "LD_PRELOAD": "libc_malloc_debug.so.0"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=os.environ | checks, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


RECTIFIERS: dict[tuple[float, float], Callable[[torch.Tensor], torch.Tensor]] = {
    (0.0, math.inf): F.relu,
    (0.0, 6.0): F.relu6,
    (-1.0, 1.0): F.hardtanh,
    (0.0, 1.0): lambda x: F.hardtanh(x, 0.0, 1.0),
}


@pytest.mark.parametrize("bounds", RECTIFIERS)
def test_bounded_is_the_activation_and_its_gradient(bounds: tuple[float, float]) -> None:
    """At the bounds too, where the gradient of torch's is 0."""
    values = torch.tensor([-7.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0])
    x, other = values.clone().requires_grad_(), values.clone().requires_grad_()
    before = x * 1.0
    y, expected = bounded_(before, *bounds), RECTIFIERS[bounds](other)
    assert torch.equal(y, expected)
    assert y.data_ptr() == before.data_ptr()
    torch.autograd.backward([y.square().sum(), expected.square().sum()])
    assert x.grad is not None
    assert other.grad is not None
    assert torch.equal(x.grad, other.grad)
    assert torch.equal(bounded_(values.clone(), *bounds), expected)


@pytest.mark.parametrize("name", ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"])
def test_operators_of_their_own_are_the_fused_activations(name: str) -> None:
    """Values and gradients, at the bounds too, but for their input, which stays as it is."""
    builder = GraphBuilder()
    op = builder.build([builder.operator(OpKind(name), [builder.input((1, 9))], UnaryAttributes())[0]]).ops[0]
    values = torch.tensor([[-7.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 7.0]])
    x, other = values.clone().requires_grad_(), values.clone().requires_grad_()
    before = x * 1.0
    y, fused = apply_weightless(op, [before]), bounded_(other * 1.0, *BOUNDS[name])
    assert torch.equal(y, fused)
    assert torch.equal(before, values)
    torch.autograd.backward([y.square().sum(), fused.square().sum()])
    assert x.grad is not None
    assert other.grad is not None
    assert torch.equal(x.grad, other.grad)


def test_every_fused_activation_has_bounds() -> None:
    assert set(Activation) - {Activation.NONE} <= set(BOUNDS)


def test_gradients_of_bounded() -> None:
    """To the second order, which a score by gradients of gradients asks for."""
    x = torch.tensor([-2.0, 0.3, 2.0, 5.5, 6.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: bounded_(x * 1.0, 0.0, 6.0).square(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: bounded_(x * 1.0, 0.0, 6.0).square(), (x,))


def test_bounded_in_place_of_a_view() -> None:
    x, other = (torch.linspace(-3, 8, 12).view(3, 4).requires_grad_() for _ in range(2))
    y = bounded_((x * 1.0).T, 0.0, 6.0)
    expected = F.relu6((other * 1.0).T)
    torch.autograd.backward([(y * y).sum(), (expected * expected).sum()])
    assert x.grad is not None
    assert other.grad is not None
    assert torch.equal(x.grad, other.grad)


def test_images_to_tensor_leaves_its_images_as_they_are() -> None:
    """Those of float32 as well, which `.float()` does not copy."""
    for dtype in (np.uint8, np.float32):
        images = np.full((2, 3, 3, 1), 51, dtype)
        assert torch.equal(images_to_tensor(images), images_to_tensor(images))
        assert np.array_equal(images, np.full((2, 3, 3, 1), 51, dtype))


def test_training_equals_that_by_the_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for rounding, of a network with a one-channel input, depthwise convolutions and ReLU6."""
    activations = {Activation.RELU: F.relu, Activation.RELU6: F.relu6, Activation.RELU_N1_TO_1: F.hardtanh}

    def trained() -> torch.Tensor:
        network = Supernet([LARGEST], seed=3)
        settings = TrainingSettings(
            20, batch_size=16, optimizer=Sgd(), learning_rate=0.05, augmentation=Augmentation(flip=True)
        )
        train_subnet(network, LARGEST, data=toy_data(128), settings=settings, seed=4)
        return network.parameters.flat.clone()

    found, start = trained(), Supernet([LARGEST], seed=3).parameters.flat
    monkeypatch.setattr(supernet_module, "convolve", padded_convolution)
    monkeypatch.setattr(
        supernet_module, "activate_", lambda op, x: activations.get(op.activation, lambda values: values)(x)
    )
    expected = trained()
    assert float((expected - start).norm()) > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
