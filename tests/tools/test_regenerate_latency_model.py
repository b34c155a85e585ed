"""The tool refuses latency models that unseen networks do not bear out."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tinynas.latency import LatencyMetrics

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "regenerate_latency_model.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regenerate_latency_model", _TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("mape", "half_width", "reason"),
    [(0.01, 0.19, None), (0.06, 0.1, "mean error on unseen networks is 6.0%"), (0.01, 0.3, "interval .* 30%")],
)
def test_what_is_refused(tool: ModuleType, mape: float, half_width: float, reason: str | None) -> None:
    refusal = tool.refused(LatencyMetrics(16, mape, 1.0, 1.0, 1.0, half_width / 2, half_width))
    assert (refusal is None) == (reason is None)
    assert reason is None or re.search(reason, refusal)
