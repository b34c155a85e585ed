"""Each zero-cost proxy against its formula in plain torch, float64, on a network small enough to write down."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from tiny_networks import (  # noqa: E402
    CHANNELS,
    SIDE,
    batch,
    hidden,
    images_of,
    loss,
    network,
    weights,
)

from tinynas.evaluation.evaluators.zero_cost import PROXIES  # noqa: E402
from tinynas.graph import Graph  # noqa: E402
from tinynas.training import Split  # noqa: E402

SEED = 7


def score(name: str, graph: Graph, batches: Sequence[Split], seed: int = SEED) -> float:
    module = importlib.import_module(f"tinynas.evaluation.evaluators.zero_cost.{PROXIES[name].module}")
    return float(module.score(graph, batches, seed))


def learned(seed: int = SEED) -> list[torch.Tensor]:
    return [w.requires_grad_() for w in weights(seed)]


def test_grad_norm() -> None:
    w = learned()
    gradients = torch.autograd.grad(loss(w, batch()), w)
    expected = sum(float((g**2).sum().detach()) ** 0.5 for g in gradients)
    assert score("grad-norm", network(), [batch()]) == pytest.approx(expected, rel=1e-4)


def test_snip() -> None:
    w = learned()
    gradients = torch.autograd.grad(loss(w, batch()), w)
    expected = sum(float((g * v).abs().sum().detach()) for g, v in zip(gradients, w, strict=True))
    assert score("snip", network(), [batch()]) == pytest.approx(expected, rel=1e-4)


def test_grasp_has_the_hessian_that_differences_give() -> None:
    w = learned()
    gradients = torch.autograd.grad(loss(w, batch()), w)
    # -(H g)' theta, H symmetric: the change of the gradient along theta, against the gradient.
    step = 1e-4
    shifted = []
    for sign in (1, -1):
        moved = [(v + sign * step * g).detach().requires_grad_() for v, g in zip(w, gradients, strict=True)]
        shifted.append(torch.autograd.grad(loss(moved, batch()), moved))
    along = [(up - down) / (2 * step) for up, down in zip(*shifted, strict=True)]
    expected = -sum(float((h * v).sum().detach()) for h, v in zip(along, w, strict=True))
    assert score("grasp", network(), [batch()]) == pytest.approx(expected, rel=1e-2)


def test_synflow_is_the_flow_through_absolute_weights() -> None:
    w = [v.abs() for v in weights(SEED)]
    for v in w:
        v.requires_grad_()
    first = F.conv2d(torch.ones(1, 1, SIDE, SIDE, dtype=torch.float64), w[0], padding=1)
    total = ((first + F.conv2d(first, w[1], padding=1)).mean(dim=(2, 3)) @ w[2].T).sum()
    flow = sum(float((g * v).sum().detach()) for g, v in zip(torch.autograd.grad(total, w), w, strict=True))
    assert score("synflow", network(), [batch()]) == pytest.approx(math.log(flow), rel=1e-9)
    assert score("synflow", network(), [batch(seed=5)]) == score("synflow", network(), [batch()]), "no image is read"


def test_naswot_counts_agreements_of_codes() -> None:
    images = batch(count=5)
    codes = [(y > 0).reshape(5, -1) for y in hidden(weights(SEED), images_of(images))]
    bits = torch.cat(codes, dim=1).numpy()
    kernel = np.array([[float((a == b).sum()) for b in bits] for a in bits])
    assert np.all(np.diag(kernel) == 2 * CHANNELS * SIDE * SIDE)
    expected = np.linalg.slogdet(kernel).logabsdet
    assert score("naswot", network(), [images]) == pytest.approx(expected, rel=1e-6)


def test_naswot_is_finite_where_two_images_have_one_code() -> None:
    images = batch(count=4).take(np.array([0, 0, 1, 2]))
    assert math.isfinite(score("naswot", network(), [images]))


def test_zen_is_the_movement_of_features_and_the_scales_of_batch_norm() -> None:
    rng = np.random.default_rng([SEED, 0x2E4])
    shapes = [(CHANNELS, 3, 3, 1), (CHANNELS, 3, 3, CHANNELS), (4, CHANNELS)]
    drawn = [torch.from_numpy(rng.standard_normal(shape).astype(np.float32)).double() for shape in shapes]
    w = [drawn[0].permute(0, 3, 1, 2), drawn[1].permute(0, 3, 1, 2)]
    x, e = (
        torch.from_numpy(rng.standard_normal((8, SIDE, SIDE, 1)).astype(np.float32)).double().permute(0, 3, 1, 2)
        for _ in range(2)
    )
    y, moved, scales = x, x + 0.01 * e, 0.0
    for kernel in w:  # without the skip
        y, moved = F.conv2d(y, kernel, padding=1), F.conv2d(moved, kernel, padding=1)
        mean, unbiased = y.mean(dim=(0, 2, 3), keepdim=True), y.var(dim=(0, 2, 3), keepdim=True)
        scales += 0.5 * math.log(float(unbiased.mean()))
        y, moved = (F.relu((v - mean) / torch.sqrt(unbiased + 1e-3)) for v in (y, moved))
    movement = (y - moved).reshape(8, -1).norm(dim=1).mean()
    expected = math.log(float(movement)) + scales
    assert score("zen", network(), [batch()]) == pytest.approx(expected, rel=1e-3)


def test_zico_is_the_inverse_coefficient_of_variation_of_gradients() -> None:
    batches = [batch(seed=1), batch(seed=2)]
    w = learned()
    gradients = [torch.autograd.grad(loss(w, b), w) for b in batches]
    expected = 0.0
    for a, b in zip(*gradients, strict=True):
        sizes = torch.stack([a.abs(), b.abs()])
        expected += math.log(float((sizes.mean(dim=0) / sizes.std(dim=0, correction=0)).sum()))
    assert score("zico", network(), batches) == pytest.approx(expected, rel=2e-2)


def test_zico_leaves_out_what_does_not_vary() -> None:
    assert score("zico", network(), [batch(), batch()]) == 0.0


@pytest.mark.parametrize("name", PROXIES)
def test_another_seed_is_another_network(name: str) -> None:
    batches = [batch(seed=1), batch(seed=2)]
    assert score(name, network(), batches) != score(name, network(), batches, seed=SEED + 1)
