"""A network on the virtual board: bit by bit, counted, and clear lines when the other end is wrong or silent."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import LinkError
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.lowering import UnsupportedGraphError
from tinynas.pipeline._deployment import Deployment, deploy
from tinynas.pipeline._measurement import measure, random_inputs
from tinynas.spaces import build_graph, load_space
from tinynas.targets import load_board

BOARD = load_board("nucleo-f303k8")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    space = load_space("mobile-tiny")
    architecture = space.architecture(space.smallest(), 0.5, 16, 1, 10)
    graph = with_random_constants(build_graph(architecture, DType.INT8), seed=0)
    return deploy(graph, BOARD, tmp_path_factory.mktemp("deployment"))


def test_every_output_equals_the_reference_and_every_step_is_counted(deployment: Deployment) -> None:
    inputs = random_inputs(deployment.schedule, 8, seed=1)
    measured = measure(deployment, BOARD, inputs)
    assert measured.mismatches == 0
    assert measured.unit == "instructions"
    assert len(measured.steps) == len(deployment.schedule.steps)
    assert sum(measured.steps) == measured.ticks
    assert measured.memory.static_sram_bytes == deployment.firmware.static_sram_bytes
    assert 0 < measured.memory.stack_used_bytes < measured.memory.stack_bytes


def test_a_wrong_reference_is_noticed(deployment: Deployment) -> None:
    """The comparison can fail: against a network with other weights, every output differs."""
    other = with_random_constants(replace(deployment.graph, tensors=_without_data(deployment)), seed=9)
    inputs = random_inputs(deployment.schedule, 4, seed=1)
    measured = measure(replace(deployment, graph=other), BOARD, inputs)
    assert measured.mismatches == 4


def _without_data(deployment: Deployment) -> tuple[object, ...]:
    return tuple(
        replace(tensor, data=None, quantization=None) if tensor.constant else tensor
        for tensor in deployment.graph.tensors
    )


def test_another_build_on_the_board_is_refused(deployment: Deployment) -> None:
    stranger = replace(deployment, firmware=replace(deployment.firmware, build_id=1))
    with pytest.raises(LinkError, match="of another build: flash"):
        measure(stranger, BOARD, random_inputs(deployment.schedule, 1, seed=1))


def test_a_silent_board_is_one_line(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(LinkError, match="does not answer") as caught:
            measure(deployment, BOARD, random_inputs(deployment.schedule, 1, seed=1), port=port)
    assert "\n" not in str(caught.value)


def test_networks_with_several_outputs_are_refused(tmp_path: Path) -> None:
    builder = GraphBuilder("two", DType.INT8)
    x = builder.input((1, 4, 4, 1))
    a, b = builder.max_pool_2d(x, (2, 2), name="a"), builder.max_pool_2d(x, (4, 4), name="b")
    graph = with_random_constants(builder.build([a, b]), seed=0)
    with pytest.raises(UnsupportedGraphError, match="1 inputs and 2 outputs"):
        deploy(graph, BOARD, tmp_path)


def test_random_inputs_depend_on_the_seed(deployment: Deployment) -> None:
    first, again, other = (random_inputs(deployment.schedule, 2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
