"""Optimizers take the steps that their papers give, and a killed training continues in the same bits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from toy_networks import LARGEST, SMALLEST, sample_toy, toy_data

from tinynas.errors import UsageError
from tinynas.training import (
    OPTIMIZERS,
    Adam,
    AdamW,
    Augmentation,
    CheckpointError,
    FlatParameters,
    Muon,
    Optimizer,
    Sgd,
    Supernet,
    TrainingSettings,
    train_supernet,
)
from tinynas.training import _descent as descent_module
from tinynas.training._checkpoint import load_checkpoint, save_checkpoint
from tinynas.training._muon import orthogonalized as orthogonalized_together
from tinynas.training._optimizers import STATE_VERSION

Vector = npt.NDArray[np.float64]

STEPS = 20
LEARNING_RATES = [0.01 * (STEPS - step) / STEPS for step in range(STEPS)]
DATA = toy_data(256)


def nesterov(w: Vector, gradients: list[Vector], decay: Vector, momentum: float) -> Vector:
    """As torch documents SGD: the velocity without the learning rate, w the point that is looked ahead to."""
    velocity = np.zeros_like(w)
    for g, rate in zip(gradients, LEARNING_RATES, strict=True):
        g = g + decay * w
        velocity = momentum * velocity + g
        w = w - rate * (g + momentum * velocity)
    return w


def adam(w: Vector, gradients: list[Vector], decay: Vector, options: Adam | AdamW) -> Vector:
    """Kingma and Ba 2015, algorithm 1; with Loshchilov and Hutter 2019, algorithm 2, line 12, for AdamW."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    beta1, beta2 = options.betas
    for t, (g, rate) in enumerate(zip(gradients, LEARNING_RATES, strict=True), start=1):
        if isinstance(options, AdamW):
            w = w - rate * decay * w
        else:
            g = g + decay * w
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        w = w - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + options.epsilon)
    return w


def expected(w: Vector, gradients: list[Vector], decay: Vector, options: Optimizer) -> Vector:
    if isinstance(options, Sgd):
        return nesterov(w, gradients, decay, options.momentum)
    assert isinstance(options, Adam | AdamW)
    return adam(w, gradients, decay, options)


def take_steps(options: Optimizer, parameters: FlatParameters, gradients: list[Vector]) -> None:
    gradient = torch.zeros(parameters.flat.numel())
    optimizer = options.build(parameters, gradient, learning_rate=1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0] * len(optimizer.param_groups)
    for values, rate in zip(gradients, LEARNING_RATES, strict=True):
        gradient.copy_(torch.from_numpy(values))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()


@pytest.mark.parametrize(
    "options",
    [
        Sgd(weight_decay=0.1),
        Sgd(momentum=0.0),
        Adam(weight_decay=0.1),
        Adam(betas=(0.5, 0.9)),
        AdamW(weight_decay=0.5),
    ],
    ids=str,
)
@pytest.mark.parametrize("shapes", [{"a/gamma": (5,), "a/weights": (3, 7), "b/weights": (2,)}, {"a/weights": (9,)}])
def test_steps_are_those_of_the_paper(options: Sgd | Adam | AdamW, shapes: dict[str, tuple[int, ...]]) -> None:
    """Weights decay, batch norm and biases do not, and there may be none of these."""
    rng = np.random.default_rng(0)
    parameters = FlatParameters(shapes)
    size = parameters.flat.numel()
    start, gradients = rng.standard_normal(size), [rng.standard_normal(size) for _ in range(STEPS)]
    parameters.flat.copy_(torch.from_numpy(start))
    take_steps(options, parameters, gradients)
    decay = np.zeros(size)
    decay[: sum(parameters[name].numel() for name in shapes if name.endswith("/weights"))] = options.weight_decay
    np.testing.assert_allclose(parameters.flat.numpy(), expected(start, gradients, decay, options), rtol=0, atol=2e-6)


def test_nesterovs_look_ahead_is_that_of_sutskever() -> None:
    """With a constant learning rate: v = momentum v - rate grad(theta + momentum v), theta += v (equations 3 and 4)."""
    rate, momentum, curvature = 0.05, 0.9, torch.tensor([1.0, 3.0])
    parameters, gradient = FlatParameters({"a/weights": (2,)}), torch.zeros(2)
    parameters.flat.copy_(torch.tensor([1.0, -2.0]))
    optimizer = Sgd(momentum=momentum, weight_decay=0.0).build(parameters, gradient, rate)
    theta, v = parameters.flat.clone(), torch.zeros(2)
    for _ in range(30):
        gradient.copy_(curvature * parameters.flat)
        optimizer.step()
        v = momentum * v - rate * curvature * (theta + momentum * v)
        theta = theta + v
        torch.testing.assert_close(parameters.flat, theta + momentum * v, rtol=0, atol=1e-6)


def orthogonalized(matrix: Vector) -> Vector:
    """Five times a X + (b X X^T + c (X X^T)^2) X, from singular values of at most 1 (Jordan et al. 2024)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / np.linalg.norm(matrix)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (2, 3, 3, 5), (1, 3, 3, 5), (5,)])
@pytest.mark.parametrize("beside", [{}, {"a/beta": (4,)}])
def test_muon_orthogonalizes_the_momentum_of_each_matrix(
    shape: tuple[int, ...], beside: dict[str, tuple[int, ...]]
) -> None:
    """Rows are outputs, channels of a depthwise kernel too; what is no weight descends as by SGD."""
    options = Muon(weight_decay=0.5)
    rng = np.random.default_rng(1)
    parameters = FlatParameters({"a/weights": shape, **beside})
    size, weights = parameters.flat.numel(), math.prod(shape)
    start, gradients = rng.standard_normal(size), [rng.standard_normal(size) for _ in range(STEPS)]
    parameters.flat.copy_(torch.from_numpy(start))
    take_steps(options, parameters, gradients)

    def matrix(vector: Vector) -> Vector:
        kernel = vector[:weights].reshape(shape)
        if len(shape) == 4 and shape[0] == 1:
            return np.moveaxis(kernel, 3, 0).reshape(shape[3], -1)
        return kernel.reshape(shape[0], -1)

    w, b = matrix(start), np.zeros_like(matrix(start))
    for gradient, rate in zip(gradients, LEARNING_RATES, strict=True):
        g = matrix(gradient)
        b = options.momentum * b + g
        w = (1 - rate * options.weight_decay) * w
        w = w - rate * max(1, len(w) / w.shape[1]) ** 0.5 * orthogonalized(g + options.momentum * b)
    np.testing.assert_allclose(matrix(parameters.flat.numpy().astype(np.float64)), w, rtol=0, atol=2e-5)
    others = nesterov(start[weights:], [g[weights:] for g in gradients], np.zeros(size - weights), options.momentum)
    np.testing.assert_allclose(parameters.flat.numpy()[weights:], others, rtol=0, atol=2e-6)


def test_matrices_of_one_shape_are_orthogonalized_one_by_one() -> None:
    rng = np.random.default_rng(2)
    matrices = rng.standard_normal((3, 4, 9))
    together = orthogonalized_together(torch.from_numpy(matrices)).numpy()
    np.testing.assert_allclose(together, np.stack([orthogonalized(matrix) for matrix in matrices]), atol=1e-12)


def test_muon_steps_of_a_network_are_those_of_each_matrix_by_itself() -> None:
    """Equal shapes, the same transposed, a depthwise kernel among them, and one without a gradient."""
    shapes = {
        "a/weights": (4, 9),
        "b/weights": (9, 4),
        "c/weights": (4, 3, 3, 1),
        "d/weights": (1, 3, 3, 4),
        "e/beta": (4,),
    }
    rng = np.random.default_rng(3)
    together = FlatParameters(shapes)
    together.flat.copy_(torch.from_numpy(rng.standard_normal(together.flat.numel())))
    gradient = torch.from_numpy(rng.standard_normal(together.flat.numel()).astype(np.float32))
    alone = {name: FlatParameters({name: shape}) for name, shape in shapes.items()}
    views = dict(zip(together.shapes, torch.split(gradient, [p.numel() for _, p in together.items()]), strict=True))
    for name, parameters in alone.items():
        parameters.flat.copy_(together[name].detach().flatten())
    optimizers = [Muon().build(together, gradient, 0.1)]
    optimizers += [Muon().build(parameters, views[name], 0.1) for name, parameters in alone.items()]
    for step in range(3):
        views["b/weights"].mul_(float(step != 1))
        for optimizer in optimizers:
            optimizer.step()
    for name, parameters in alone.items():
        torch.testing.assert_close(together[name].detach().flatten(), parameters.flat, rtol=0, atol=1e-5)


def test_muon_leaves_alone_what_has_no_gradient() -> None:
    """Weights that no network of a step has: their momentum, orthogonalized, would be a whole step."""
    parameters = FlatParameters({"a/weights": (3, 7), "b/weights": (2, 5)})
    parameters.flat.copy_(torch.linspace(-1, 1, 31))
    gradient = torch.linspace(1, 2, 31)
    optimizer = Muon().build(parameters, gradient, learning_rate=0.1)
    optimizer.step()
    gradient[:21] = 0
    before = parameters.flat.clone()
    optimizer.step()
    assert torch.equal(parameters["a/weights"], before[:21].view(3, 7))
    assert not torch.equal(parameters["b/weights"], before[21:].view(2, 5))
    gradient[:21] = 1
    optimizer.step()
    assert not torch.equal(parameters["a/weights"], before[:21].view(3, 7))


SETTINGS = {
    name: TrainingSettings(
        12, batch_size=16, optimizer=options(weight_decay=1e-3), augmentation=Augmentation(shift=1, flip=True)
    )
    for name, options in OPTIMIZERS.items()
}


def trained(name: str, **changes: object) -> torch.Tensor:
    supernet = Supernet([LARGEST], seed=5)
    arguments: dict[str, object] = {"settings": SETTINGS[name], "data": DATA, "seed": 7} | changes
    train_supernet(supernet, largest=LARGEST, smallest=SMALLEST, sample=sample_toy, **arguments)  # type: ignore[arg-type]
    return supernet.parameters.flat.clone()


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_killed_in_two_processes_and_resumed_in_one_it_ends_in_the_same_bits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(done: int, total: int, loss: float) -> None:
        if done == 6:
            raise Killed

    monkeypatch.setattr(descent_module.CheckpointClock, "due", lambda self: True)
    checkpoint = tmp_path / "supernet.checkpoint"
    with pytest.raises(Killed):
        trained(name, checkpoint=checkpoint, progress=kill, processes=2)
    steps: list[int] = []
    resumed = trained(name, checkpoint=checkpoint, progress=lambda done, total, loss: steps.append(done))
    assert steps == list(range(7, 13))
    undisturbed = trained(name)
    assert torch.equal(resumed, undisturbed)
    assert torch.equal(trained(name, processes=2), undisturbed)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.checkpoint"
    trained("adam", checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="belongs to other settings, data or networks"):
        trained("adamw", checkpoint=checkpoint)


def test_a_checkpoint_with_another_layout_is_refused(tmp_path: Path) -> None:
    """As of the version that kept a velocity in place of the optimizer's state."""
    checkpoint = tmp_path / "supernet.checkpoint"
    flat = trained("sgd", checkpoint=checkpoint)
    assert set(load_checkpoint(checkpoint)) == {"key", "step", "parameters", "optimizer"}
    save_checkpoint(checkpoint, {"key": "0" * 64, "step": 6, "parameters": flat, "velocity": flat})
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        trained("sgd", checkpoint=checkpoint)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_checkpoint_of_an_earlier_state_of_optimizers_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "supernet.checkpoint"
    with monkeypatch.context() as earlier:
        earlier.setattr(descent_module, "STATE_VERSION", STATE_VERSION - 1)
        trained(name, checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="or to another version of TinyNAS: delete it to start anew"):
        trained(name, checkpoint=checkpoint)


@pytest.mark.parametrize(
    "state", [{}, {"momentum": torch.ones(1)}, {"momentum": 0.9}, {"state": {}, "param_groups": [{"lr": 0.1}]}]
)
def test_a_state_that_is_not_of_these_parameters_is_refused(state: dict[str, object]) -> None:
    parameters = FlatParameters({"a/weights": (3, 7), "b/weights": (2, 5)})
    optimizer = Muon().build(parameters, torch.zeros(31), learning_rate=0.1)
    with pytest.raises(CheckpointError, match="no momentum of 31 parameters: delete it to start anew"):
        optimizer.load_state_dict(state)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_learning_rate_is_the_optimizers_own_unless_named(name: str) -> None:
    options = OPTIMIZERS[name]()
    assert TrainingSettings(1, optimizer=options).peak_learning_rate == options.default_learning_rate
    assert TrainingSettings(1, optimizer=options, learning_rate=0.5).peak_learning_rate == 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Sgd(momentum=1.0),
        lambda: Sgd(weight_decay=-1.0),
        lambda: Adam(betas=(0.9, 1.0)),
        lambda: AdamW(weight_decay=float("nan")),
        lambda: Muon(momentum=-0.1),
    ],
)
def test_impossible_options_are_one_line(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match="momentum and betas lie in"):
        wrong()
