"""Weight sharing: what a subnet uses of the supernet, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_networks import LARGEST, SIDE, SMALLEST, toy_data, toy_graph

from tinynas.graph import DType, GraphBuilder
from tinynas.training import (
    CheckpointError,
    Supernet,
    SupernetError,
    accuracy,
    float_graph,
    images_to_tensor,
    recalibrate_batch_norm,
)


def test_subnets_use_leading_channels_and_the_centre_of_kernels() -> None:
    supernet = Supernet([LARGEST], seed=1)
    small = supernet.extract(SMALLEST)
    expand = supernet.parameters["block0.expand/weights"]
    depthwise = supernet.parameters["block0.depthwise/weights"]
    assert torch.equal(small.parameters["block0.expand/weights"], expand[:4])
    assert torch.equal(small.parameters["block0.depthwise/weights"], depthwise[:, 1:4, 1:4, :4])
    assert "block1.expand/weights" not in small.parameters


def test_training_a_subnet_moves_only_the_weights_it_uses() -> None:
    supernet = Supernet([LARGEST])
    gradient = torch.zeros_like(supernet.parameters.flat)
    supernet.parameters.use_gradient(gradient)
    images = images_to_tensor(toy_data(16).images)
    supernet.logits(SMALLEST, images).square().sum().backward()
    touched = {name: p.grad is not None and bool(p.grad.any()) for name, p in supernet.parameters.items()}
    assert touched["block0.expand/weights"]
    assert not any(moved for name, moved in touched.items() if name.startswith("block1"))
    outside = supernet.parameters["block0.depthwise/weights"].grad
    assert outside is not None
    assert not outside[:, 0].any()
    assert not outside[..., 4:].any()
    assert outside[:, 1:4, 1:4, :4].any()


def test_an_extracted_subnet_computes_the_same() -> None:
    """But for rounding: a library may sum over strided weights in another order than over their copy."""
    supernet = Supernet([LARGEST], seed=3)
    graph = toy_graph(depth=2, kernel=3, expansion=2)
    images = images_to_tensor(toy_data(8).images)
    with torch.no_grad():
        torch.testing.assert_close(supernet.logits(graph, images), supernet.extract(graph).logits(graph, images))


def test_folded_graph_equals_batch_norm_with_the_collected_statistics() -> None:
    supernet = Supernet([LARGEST], seed=2)
    with torch.no_grad():
        for name, parameter in supernet.parameters.items():
            if name.endswith(("/gamma", "/beta")):
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))) * 0.3)
    data = toy_data(64)
    statistics = recalibrate_batch_norm(supernet, SMALLEST, data.images)
    graph = float_graph(supernet, SMALLEST, statistics)
    # The images the statistics come from: normalising by the batch and by the folded constants is then the same,
    # but for the n/(n-1) of the unbiased variance.
    with torch.no_grad():
        from tinynas.training import graph_logits, graph_weights

        folded = graph_logits(graph, graph_weights(graph), images_to_tensor(data.images))
        expected = supernet.logits(SMALLEST, images_to_tensor(data.images))
    torch.testing.assert_close(folded, expected, rtol=2e-2, atol=2e-2)
    assert 0.0 <= accuracy(graph, data) <= 1.0


def test_recalibration_averages_equal_batches() -> None:
    supernet = Supernet([LARGEST])
    images = toy_data(512).images
    whole = recalibrate_batch_norm(supernet, LARGEST, images)
    halves = [recalibrate_batch_norm(supernet, LARGEST, part) for part in (images[:256], images[256:])]
    for name, statistics in whole.items():
        torch.testing.assert_close(statistics.mean, (halves[0][name].mean + halves[1][name].mean) / 2)


def test_saved_weights_come_back(tmp_path: Path) -> None:
    one, other = Supernet([LARGEST], seed=1), Supernet([LARGEST], seed=2)
    one.save(tmp_path / "supernet.pt")
    other.load(tmp_path / "supernet.pt")
    assert torch.equal(one.parameters.flat, other.parameters.flat)
    assert [p.name for p in tmp_path.iterdir()] == ["supernet.pt"]


def test_weights_of_another_supernet_are_refused(tmp_path: Path) -> None:
    Supernet([SMALLEST]).save(tmp_path / "supernet.pt")
    with pytest.raises(SupernetError, match="another supernet"):
        Supernet([LARGEST]).load(tmp_path / "supernet.pt")


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "supernet.pt"
    Supernet([LARGEST]).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        Supernet([LARGEST]).load(path)


def test_a_subnet_larger_than_the_supernet_is_refused() -> None:
    with pytest.raises(SupernetError, match="build the supernet from the largest"):
        Supernet([SMALLEST]).logits(toy_graph(depth=1), torch.zeros(2, SIDE, SIDE, 1))


def test_an_operator_of_two_kinds_is_refused() -> None:
    builder = GraphBuilder()
    other = builder.build([builder.depthwise_conv_2d(builder.input((1, SIDE, SIDE, 1)), 3, name="stem")])
    with pytest.raises(SupernetError, match=r"'stem' is CONV_2D in one graph and DEPTHWISE_CONV_2D"):
        Supernet([LARGEST, other])


def test_an_int8_graph_is_refused() -> None:
    builder = GraphBuilder(dtype=DType.INT8)
    graph = builder.build([builder.conv_2d(builder.input((1, 4, 4, 1)), 2, 3, name="stem")])
    with pytest.raises(SupernetError, match="not float32"):
        Supernet([graph])


def test_initial_weights_have_the_variance_of_their_fan_in() -> None:
    builder = GraphBuilder()
    x = builder.conv_2d(builder.input((1, 8, 8, 64)), 64, 3, name="dense")
    graph = builder.build([builder.depthwise_conv_2d(x, 5, name="depthwise")])
    parameters = Supernet([graph]).parameters
    assert float(parameters["dense/weights"].detach().var()) == pytest.approx(2 / (9 * 64), rel=0.05)
    assert float(parameters["depthwise/weights"].detach().var()) == pytest.approx(2 / 25, rel=0.15)
    assert np.all(parameters["dense/gamma"].detach().numpy() == 1)
