"""Networks that take their input row by row equal the integer reference in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from host_models import HostModel, build_models
from stream_cases import pushed_plans, random_network

from tinynas.graph import execute
from tinynas.kernels import InstructionSet
from tinynas.testing import random_input


@pytest.fixture(scope="module", params=[InstructionSet.DSP, InstructionSet.ARMV6M])
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[HostModel]:
    cases = [(g, plan) for seed in range(14) for g in [random_network(seed)] for plan in pushed_plans(g, seed)]
    cores = [request.param] * len(cases)
    return build_models([g for g, _ in cases], tmp_path_factory.mktemp("pushed"), [plan for _, plan in cases], cores)


def test_one_image_on_dirty_memory(models: list[HostModel]) -> None:
    assert len(models) > 20
    for seed, model in enumerate(models):
        graph = model.schedule.graph
        image = random_input(graph, np.random.default_rng(seed))
        (output,) = model.run(*(np.ascontiguousarray(i) for i in image))
        np.testing.assert_array_equal(output, execute(graph, image)[graph.outputs[0]])


def test_images_in_a_row_and_after_a_restart(models: list[HostModel]) -> None:
    for seed, model in enumerate(models):
        graph = model.schedule.graph
        rng = np.random.default_rng(seed)
        images = [random_input(graph, rng) for _ in range(4)]
        rows = [np.ascontiguousarray(image[0][0], np.int8) for image in images]
        model.restart()
        for image, each in zip(images[:2], rows[:2], strict=True):
            assert model.push(each[:1]) == len(each) - 1
            assert model.push(each[1:]) == 0
            np.testing.assert_array_equal(model.outputs()[0], execute(graph, image)[graph.outputs[0]])
        lost = int(rng.integers(1, len(rows[2])))
        assert model.push(rows[2][:lost]) == len(rows[2]) - lost
        model.restart()
        assert model.push(rows[3]) == 0
        np.testing.assert_array_equal(model.outputs()[0], execute(graph, images[3])[graph.outputs[0]])


def test_the_input_has_no_buffer_and_the_rest_is_a_mix(models: list[HostModel]) -> None:
    segments = []
    for model in models:
        schedule = model.schedule
        assert schedule.inputs[0] not in schedule.buffer_of
        segments.append(sum(step.stream is not None for step in schedule.steps))
        first = schedule.steps[0].stream
        assert first is not None
        assert first.input_window_rows is not None
    assert max(segments) > 1
    assert min(len(model.schedule.steps) for model in models) < 4
