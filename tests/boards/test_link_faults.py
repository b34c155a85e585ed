"""Real firmware behind a line that fails all the time: no wrong result, no call without end, every failure named."""

from __future__ import annotations

import functools
from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import build_increment

from tinynas.boards import Device, LinkError, VirtualBoard
from tinynas.targets import load_board
from tinynas.testing import FakeClock, FaultRates, FaultyLine

T = TypeVar("T")

SIZE = 16
EXPECTED_TICKS = 1000
SHORT_S = 3 * (1.0 + 20_800 / 115_200)
INFERENCE_S = 2 * (2.0 + 20_800 / 115_200)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> VirtualBoard:
    target = load_board("nucleo-f303k8")
    return VirtualBoard(target, build_increment(target, tmp_path_factory.mktemp("increment"), size=SIZE).elf)


def _rates(most: float) -> st.SearchStrategy[float]:
    return st.just(0.0) | st.floats(0.0, most)


@given(
    rates=st.builds(
        FaultRates,
        drop=_rates(0.05),
        flip=_rates(0.05),
        double=_rates(0.05),
        repeat=_rates(0.5),
        cut=_rates(0.5),
        delay=_rates(0.5),
        latest_s=st.sampled_from([0.01, 1.5, 30.0]),
    ),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150)
def test_no_wrong_result_no_endless_call_and_every_failure_named(
    board: VirtualBoard, rates: FaultRates, seed: int
) -> None:
    random, clock = Random(seed), FakeClock()
    device = Device(FaultyLine(board, rates, random, clock), clock=clock)

    def ask(call: Callable[[], T], seconds: float) -> T | None:
        begun = clock.now
        try:
            return call()
        except LinkError as error:
            complaints.append(str(error))
            return None
        finally:
            times.append((clock.now - begun, seconds))

    complaints: list[str] = []
    times: list[tuple[float, float]] = []
    if ask(device.hello, SHORT_S) is None:
        assert "does not answer HELLO" in complaints[0]
        return
    for _ in range(4):
        data = random.randbytes(SIZE)
        ask(functools.partial(device.write_input, data), SHORT_S)
        written = ask(lambda: device.run(expected_ticks=EXPECTED_TICKS), INFERENCE_S)
        output = ask(device.read_output, SHORT_S)
        report = ask(device.memory, SHORT_S)
        steps = ask(lambda: device.profile(expected_ticks=EXPECTED_TICKS), INFERENCE_S)
        assert report is None or report.arena_bytes == SIZE
        assert steps is None or (len(steps) == 1 and 0 < steps[0] < EXPECTED_TICKS)
        assert written is None or (written.inferences == 1 and 0 < written.ticks < EXPECTED_TICKS)
        assert output is None or len(output) == SIZE
    assert all("does not answer" in complaint for complaint in complaints)
    assert all(taken <= allowed + 0.001 for taken, allowed in times)


@given(
    rates=st.builds(
        FaultRates,
        drop=_rates(0.01),
        flip=_rates(0.01),
        double=_rates(0.01),
        repeat=_rates(0.5),
        cut=_rates(0.2),
        delay=_rates(0.3),
    ),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=150)
def test_an_inference_is_the_right_one_or_an_error(board: VirtualBoard, rates: FaultRates, seed: int) -> None:
    random, clock = Random(seed), FakeClock()
    device = Device(FaultyLine(board, rates, random, clock), clock=clock)
    for _ in range(6):
        data = random.randbytes(SIZE)
        try:
            output = device.infer(data)
        except LinkError:
            continue
        assert output == bytes((value + 1) % 256 for value in data)


def test_a_line_without_faults_takes_the_time_of_its_bytes(board: VirtualBoard) -> None:
    clock = FakeClock()
    line = FaultyLine(board, FaultRates(), Random(0), clock)
    device = Device(line, clock=clock)
    assert device.infer(bytes(SIZE)) == bytes([1]) * SIZE
    assert line.faults == 0
    assert 0 < clock.now < 0.05
