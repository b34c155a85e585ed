"""Calling commands within the test process, and the small network that they are called with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tinynas.cli import main
from tinynas.graph import DType, Graph, GraphBuilder


def skeleton(side: int, channels: int) -> Graph:
    builder = GraphBuilder("main", DType.INT8)
    x = builder.input((1, side, side, 2))
    x = builder.conv_2d(x, channels, (3, 3), stride=2, name="stem")
    x = builder.depthwise_conv_2d(x, (3, 3), name="depthwise")
    x = builder.mean(x)
    x = builder.fully_connected(x, 5, name="classifier")
    return builder.build([x])


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object on stdout, and stderr."""
    with pytest.raises(SystemExit) as done:
        main([*words, "--json"])
    captured = capsys.readouterr()
    return int(done.value.code or 0), json.loads(captured.out), captured.err
