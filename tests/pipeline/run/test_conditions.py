"""Conditions on networks as users write them: what is read, and what ends in one line."""

from __future__ import annotations

import math

import pytest

from tinynas.errors import UsageError
from tinynas.latency import Quantity, deciding_quantity, instruction_quantity
from tinynas.pipeline.run import Condition, parse_conditions
from tinynas.targets import load_board
from tinynas.targets._board import CyclesPerInstruction

BOARD, M7 = load_board("nucleo-f303k8"), load_board("virt-m7")
FACTOR = CyclesPerInstruction(value=2.0, basis="measured")
COUNTED, CYCLES = instruction_quantity(BOARD), deciding_quantity(BOARD)
FIGURES = {"latency": 3e6, "macs": 1.5e6, "sram_bytes": 12_288, "flash_bytes": None}


@pytest.mark.parametrize(
    ("text", "figure", "most"),
    [
        ("instructions<=2.4M", "latency", 2.4e6),
        ("Instructions <= 2_400_000", "latency", 2.4e6),
        ("instructions<=900k", "latency", 9e5),
        ("macs<=1M", "macs", 1e6),
        ("sram<=12KB", "sram_bytes", 12 * 1024),
        ("sram<=12 kb", "sram_bytes", 12 * 1024),
        ("flash<=0.5MiB", "flash_bytes", 512 * 1024),
        ("flash<=64000", "flash_bytes", 64_000),
        ("flash<=64000B", "flash_bytes", 64_000),
    ],
)
def test_what_is_read(text: str, figure: str, most: float) -> None:
    (condition,) = parse_conditions([text], BOARD, COUNTED)
    assert (condition.text, condition.figure, condition.most) == (text, figure, most)


def test_several_stand_between_commas_or_are_given_one_by_one() -> None:
    texts = ["sram<=12KB, flash<=64KB", "macs<=1M"]
    found = parse_conditions(texts, BOARD, COUNTED)
    assert [condition.text for condition in found] == ["sram<=12KB", "flash<=64KB", "macs<=1M"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("latency<=20ms", 0.02), ("latency<=1.5s", 1.5), ("latency<=50us", 5e-5)]
)
def test_time_is_ticks_where_the_board_says_how(text: str, seconds: float) -> None:
    (cycles,) = parse_conditions([text], BOARD, CYCLES)
    assert cycles.most == pytest.approx(seconds * BOARD.clock_hz)
    (slower,) = parse_conditions([text], BOARD, CYCLES, clock_hz=1_000_000)
    assert slower.most == pytest.approx(seconds * 1e6)
    declared = BOARD.model_copy(update={"cycles_per_instruction": FACTOR})
    (instructions,) = parse_conditions([text], declared, deciding_quantity(declared))
    assert instructions.most == pytest.approx(cycles.most / 2)


def test_cycles_are_instructions_times_what_the_board_file_declares() -> None:
    declared = BOARD.model_copy(update={"cycles_per_instruction": FACTOR})
    counted, cycles = parse_conditions(["instructions<=1M, cycles<=2M"], declared, deciding_quantity(declared))
    assert (counted.most, cycles.most) == (1e6, 1e6)
    assert (counted.worded(FIGURES), cycles.worded(FIGURES)) == ("3,000,000 instructions", "6,000,000 cycles")


@pytest.mark.parametrize(
    ("text", "decides", "said"),
    [
        ("latency<=20ms", COUNTED, "goes by instructions, which its configuration limits; limit instructions instead"),
        ("latency<=20", CYCLES, "latency needs a unit; take one of us, ms, s"),
        ("latency<=20KB", CYCLES, "'KB' is no unit of latency"),
        (
            "instructions<=2M",
            CYCLES,
            "this run goes by cycles (Cortex-M4 TRM timings, zero wait states (model)); limit cycles",
        ),
        ("cycles<=2M", COUNTED, "this run goes by instructions (counted by the virtual board); limit instructions"),
        ("sran<=12KB", COUNTED, "did you mean 'sram'?"),
        ("flash_bytes<=12KB", COUNTED, "did you mean 'flash'?"),
        ("energy<=1mJ", COUNTED, "nothing is known of 'energy' here; one of flash, instructions"),
        ("sram<=12ms", COUNTED, "'ms' is no unit of sram; take one of b, kb, kib, mb, mib"),
        ("macs<=1MB", COUNTED, "'MB' is no unit of macs; take one of k, m, g"),
        ("sram<=0", COUNTED, "a limit is above 0"),
        ("sram<12KB", COUNTED, "is no condition: write NAME<=VALUE"),
        ("sram>=12KB", COUNTED, "is no condition"),
        ("sram<=-1", COUNTED, "is no condition"),
        ("sram<=1e3", COUNTED, "is no condition"),
        ("sram<=1__2KB", COUNTED, "is no condition"),
        ("sram<=12_", COUNTED, "is no condition"),
        (f"macs<={'9' * 400}", COUNTED, "a limit is a finite number"),
        ("sram", COUNTED, "is no condition"),
        ("", COUNTED, "'' is no condition"),
        ("sram<=12KB,", COUNTED, "'' is no condition"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_quotes_it(text: str, decides: Quantity, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_conditions([text], BOARD, decides)
    assert said in str(refused.value)
    assert repr(text.rpartition(",")[2].strip()) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_time_on_a_board_whose_cycles_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="declares no cycles per instruction; limit instructions instead"):
        parse_conditions(["latency<=20ms"], M7, deciding_quantity(M7))


def test_what_is_not_known_meets_no_condition() -> None:
    (condition,) = parse_conditions(["flash<=64KB"], BOARD, COUNTED)
    assert not condition.holds(FIGURES)
    assert condition.excess(FIGURES) == math.inf
    assert condition.worded(FIGURES) == "flash unknown bytes"


def test_figures_are_said_in_the_unit_that_was_asked_in() -> None:
    said = [condition.worded(FIGURES) for condition in parse_conditions(["sram<=1KB, macs<=1M"], BOARD, CYCLES)]
    assert said == ["sram 12,288 bytes", "macs 1,500,000"]
    (cycles, time) = parse_conditions(["cycles<=1M, latency<=20ms"], BOARD, CYCLES, clock_hz=60_000_000)
    assert (cycles.worded(FIGURES), time.worded(FIGURES)) == ("3,000,000 cycles", "50 ms")
    assert (cycles.excess(FIGURES), time.excess(FIGURES)) == (3, 2.5)


def test_a_limit_is_met_by_what_equals_it() -> None:
    assert Condition("sram<=12KB", "sram_bytes", 12_288, "bytes").holds(FIGURES)
    assert not Condition("sram<=12287", "sram_bytes", 12_287, "bytes").holds(FIGURES)
