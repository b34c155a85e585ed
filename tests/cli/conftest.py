from __future__ import annotations

from pathlib import Path

import pytest
from command_line import skeleton

from tinynas.formats import write_tflite
from tinynas.graph import Graph
from tinynas.latency import with_random_constants


@pytest.fixture(scope="module")
def graph() -> Graph:
    return with_random_constants(skeleton(12, 8), seed=1)


@pytest.fixture(scope="module")
def model(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.tflite"
    write_tflite(graph, path)
    return path


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "large.tflite"
    write_tflite(with_random_constants(skeleton(96, 64), seed=1), path)
    return path
