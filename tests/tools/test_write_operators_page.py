"""The page of operators is what the specs say, and TFLM's column is what the wheel knows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import write_operators_page as tool


def _column_of_tflm() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|.*\| yes \|$", tool.PAGE.read_text("utf-8"), re.MULTILINE)


def test_the_page_is_up_to_date() -> None:
    assert tool.PAGE.read_text("utf-8") == tool.page(_column_of_tflm()), "run tools/write_operators_page.py"


def test_an_operator_that_the_page_lacks_is_noticed() -> None:
    assert tool.PAGE.read_text("utf-8") != tool.page([*_column_of_tflm(), "CEIL_OF_NOTHING"])


@pytest.mark.parametrize(("name", "known"), [("CONV_2D", True), ("SVDF", True), ("LSTM", False), ("RANGE", False)])
def test_the_wheel_is_asked(name: str, known: bool) -> None:
    assert (name in _column_of_tflm()) == known
    assert (tool._UNKNOWN not in tool._messages(tool._file_with(name))) == known


def test_a_wheel_that_cannot_be_asked_does_not_know_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_ASK", "raise ImportError('no wheel')")
    with pytest.raises(RuntimeError, match=r"TFLM was not asked: (.|\n)*no wheel"):
        tool._messages(tool._file_with("CONV_2D"))


@pytest.mark.slow
def test_the_column_is_what_the_wheel_knows() -> None:
    assert tool.tflm_operators() == _column_of_tflm()
