"""Timings of cores: data with its sources, and what a board has to say about its part."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tinynas.targets import CORES, BoardFileError, Cost, Cycles, load_board, read_timing, resource_path

WITH_TIMING = {name: core.timing for name, core in CORES.items() if core.timing is not None}


def test_cores_have_timings_where_arm_publishes_them() -> None:
    assert set(WITH_TIMING) == {"cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m4f"}
    for core in ("cortex-m7", "cortex-m33", "host64"):
        assert CORES[core].timing is None


@pytest.mark.parametrize("name", sorted(set(WITH_TIMING.values())))
def test_timings_say_where_they_are_from(name: str) -> None:
    timing = read_timing(name)
    assert any("Technical Reference Manual" in source and "table" in source for source in timing.sources)
    assert any("wait states" in text for text in timing.assumptions)
    assert any("flash" in text for text in timing.not_modelled)
    assert timing.basis.endswith("zero wait states (model)")


def test_a_choice_against_a_row_of_the_manual_says_so() -> None:
    timing = read_timing("cortex-m4")
    assert timing.cycles.fpu_move == Cost(cycles=1)
    (said,) = (text for text in timing.assumptions if text.startswith("VMOV of one register"))
    assert "The row of table 7-1 that names it" in said
    assert "says 2" in said
    assert "not measured" in said


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("1", Cost(cycles=1)),
        ("1 + N", Cost(cycles=1, per_register=1)),
        ("2 + N + P", Cost(cycles=2, per_register=1, refills=True)),
        ("M", Cost(multiplies=True)),
    ],
)
def test_costs_are_written_as_in_manuals(text: str, cost: Cost) -> None:
    given = read_timing("cortex-m0plus").cycles.model_dump() | {"wait": text}
    assert Cycles.model_validate(given).wait == cost


@pytest.mark.parametrize("text", ["", "N+P", "1 - P", "1 + Q", "N + N", "1 +  P", "-1"])
def test_other_costs_are_refused(text: str) -> None:
    given = read_timing("cortex-m0plus").cycles.model_dump() | {"wait": text}
    with pytest.raises(ValidationError, match="is no sum of numbers, N, P and M"):
        Cycles.model_validate(given)


def test_a_board_has_the_timing_of_its_part() -> None:
    timing = load_board("virt-m0plus").timing
    assert timing is not None
    assert timing.cycles.multiply == Cost(cycles=1)
    assert timing.basis == "Cortex-M0+ TRM timings, single-cycle multiplier, zero wait states (model)"
    assert load_board("virt-m4").timing == read_timing("cortex-m4")
    assert load_board("virt-m7").timing is None


def test_a_part_with_the_small_multiplier(tmp_path: Path) -> None:
    timing = load_board(_board(tmp_path, "multiply_cycles = 32")).timing
    assert timing is not None
    assert timing.cycles.multiply == Cost(cycles=32)
    assert "32-cycle multiplier" in timing.basis


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "multiply_cycles is missing: parts with a cortex-m0plus multiply in 1 or 32 cycles"),
        ("multiply_cycles = 2", "multiply_cycles = 2: of a cortex-m0plus it is 1 or 32"),
        ('multiply_cycles = 1\ncore = "cortex-m3"', "multiply_cycles = 1: of a cortex-m3 there is no choice"),
        ('multiply_cycles = 1\ncore = "cortex-m7"', "multiply_cycles = 1: of a cortex-m7 there is no choice"),
    ],
)
def test_a_board_has_to_say_how_its_part_multiplies(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BoardFileError) as caught:
        load_board(_board(tmp_path, line))
    assert str(caught.value).endswith(message)


def _board(folder: Path, line: str) -> Path:
    """The reference board of the Cortex-M0+ with another line about its multiplier."""
    text = (resource_path("boards") / "virt-m0plus.toml").read_text(encoding="utf-8")
    if "core =" in line:
        text = text.replace('core = "cortex-m0plus"\n', "")
    assert "multiply_cycles = 1\n" in text
    path = folder / "virt-m0plus.toml"
    path.write_text(text.replace("multiply_cycles = 1\n", f"{line}\n"), encoding="utf-8")
    return path
