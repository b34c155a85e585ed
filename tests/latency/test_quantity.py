"""One quantity decides on a board: cycles where they are known, instructions elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tinynas.latency import (
    LatencyModel,
    Quantity,
    VariantModel,
    deciding_quantity,
    from_json,
    instruction_quantity,
    to_json,
)
from tinynas.targets import Board, CyclesPerInstruction, load_board

M4, M0PLUS, M7 = (load_board(name) for name in ("virt-m4", "virt-m0plus", "virt-m7"))
_MODEL = "TRM timings, zero wait states (model)"
_M0PLUS_MODEL = "Cortex-M0+ TRM timings, single-cycle multiplier, zero wait states (model)"
SLOW = M0PLUS.model_copy(update={"multiply_cycles": 32})
DECLARED = M4.model_copy(update={"cycles_per_instruction": CyclesPerInstruction(value=1.5, basis="a test")})


@pytest.mark.parametrize(
    ("name", "quantity", "shown"),
    [
        ("virt-m4", Quantity("cycles", f"Cortex-M4 {_MODEL}", 1.0, is_model=True), "cycles (model)"),
        ("nucleo-f303k8", Quantity("cycles", f"Cortex-M4 {_MODEL}", 1.0, is_model=True), "cycles (model)"),
        ("virt-m0plus", Quantity("cycles", _M0PLUS_MODEL, 1.0, is_model=True), "cycles (model)"),
        ("virt-m7", Quantity("instructions", "counted by the virtual board", None), "instructions"),
        ("virt-m33", Quantity("instructions", "counted by the virtual board", None), "instructions"),
    ],
)
def test_what_the_virtual_board_goes_by(name: str, quantity: Quantity, shown: str) -> None:
    assert deciding_quantity(load_board(name)) == quantity
    assert quantity.name == shown
    assert quantity.per_ms(72_000_000) == (72_000 if quantity.unit == "cycles" else None)


def test_a_factor_that_somebody_measured_comes_first() -> None:
    quantity = deciding_quantity(DECLARED)
    assert quantity == instruction_quantity(DECLARED) == Quantity("instructions", "instructions times 1.5: a test", 1.5)
    assert quantity.per_ms(72_000_000) == pytest.approx(48_000)


@pytest.mark.parametrize("board", [M4, M7, DECLARED])
def test_a_real_board_goes_by_what_its_counter_counts(board: Board) -> None:
    quantity = deciding_quantity(board, virtual=False)
    assert quantity.unit == "cycles"
    assert quantity.basis == f"{board.core.name} cycle counter"
    assert quantity.name == "cycles"


def _model(quantity: Quantity, ticks: float) -> LatencyModel:
    calls = VariantModel(("calls",), np.array([ticks]), np.eye(1), 3.0, 0.0)
    return LatencyModel(quantity.unit, {"add": calls}, basis=quantity.basis)


def test_a_model_is_asked_for_what_decides() -> None:
    counted = _model(instruction_quantity(M0PLUS), 7.0)
    both = replace(_model(deciding_quantity(M0PLUS), 10.0), instructions=counted)
    assert both.counting(deciding_quantity(M0PLUS)) is both
    # Cycles of a part that multiplies in 32 cycles, or of silicon, are others.
    for quantity in (deciding_quantity(SLOW), deciding_quantity(M0PLUS, virtual=False), instruction_quantity(M0PLUS)):
        assert both.counting(quantity) is counted
    assert counted.counting(deciding_quantity(M0PLUS)) is counted
    assert _model(deciding_quantity(M0PLUS), 10.0).counting(deciding_quantity(SLOW)) is None


def test_both_are_in_one_file() -> None:
    counted = _model(instruction_quantity(M4), 7.0)
    both = replace(_model(deciding_quantity(M4), 10.0), instructions=counted)
    document = to_json(both)
    again = from_json(document)
    assert again.instructions is not None
    assert [m.kernel_ticks("add", {}) for m in (again, again.instructions)] == [10.0, 7.0]
    assert (again.unit, again.instructions.unit) == ("cycles", "instructions")
    assert to_json(again) == document


def test_files_of_earlier_versions_are_read() -> None:
    document = to_json(_model(instruction_quantity(M4), 7.0))
    del document["basis"]
    again = from_json(document)
    assert (again.unit, again.basis, again.instructions) == ("instructions", "counted by the virtual board", None)
    assert again.counting(deciding_quantity(M4)) is again
    silicon = deciding_quantity(M4, virtual=False)
    document = to_json(replace(_model(silicon, 7.0), provenance={"core": M4.core.name}))
    del document["basis"]
    assert from_json(document).has_cycles_of(silicon)
