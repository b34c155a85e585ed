"""A network on the virtual board: bit by bit, counted, and clear lines when the other end is wrong or silent."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tinynas.boards import LinkError, Toolchain, ToolchainError, Transport, VirtualBoard, ZigToolchain
from tinynas.cli import main
from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, GraphBuilder, Padding, Tensor
from tinynas.kernels import UnsupportedGraphError
from tinynas.latency import deciding_quantity, instruction_quantity, with_random_constants
from tinynas.pipeline.commands import (
    MeasurementInputError,
    _calibrate_board,
    _measure_model,
    measure_model,
    measurement_json,
)
from tinynas.pipeline.costs import expected_ticks
from tinynas.pipeline.deployment import (
    Deployment,
    _connection,
    _deployment,
    _flashing,
    connected,
    deploy,
    load_memory_model,
    measure,
    random_inputs,
    warn_of_other_clock,
)
from tinynas.spaces import build_graph, load_space
from tinynas.targets import Board, load_board
from tinynas.testing import DamagingTransport

BOARD = load_board("nucleo-f303k8")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    space = load_space("mobile-tiny")
    architecture = space.decode(space.smallest(), 0.5, 16, 1, 10)
    graph = with_random_constants(build_graph(architecture, DType.INT8), seed=0)
    return deploy(graph, BOARD, tmp_path_factory.mktemp("deployment"))


def test_every_output_equals_the_reference_and_every_step_is_counted(deployment: Deployment) -> None:
    inputs = random_inputs(deployment.schedule, 8, seed=1)
    measured = measure(deployment, BOARD, inputs)
    assert measured.mismatches == 0
    assert measured.quantity == deciding_quantity(BOARD)
    assert (measured.ticks, measured.steps) == (measured.counts["cycles"].total, measured.counts["cycles"].steps)
    for counts in measured.counts.values():
        assert len(counts.steps) == len(deployment.schedule.steps)
        assert sum(counts.steps) == counts.total
    assert measured.counts["cycles"].total > measured.counts["instructions"].total > 0
    by_instructions = measure(deployment, BOARD, inputs, quantity=instruction_quantity(BOARD))
    assert (by_instructions.ticks, by_instructions.counts) == (measured.counts["instructions"].total, measured.counts)
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
    with pytest.raises(LinkError, match="of another build"):
        measure(stranger, BOARD, random_inputs(deployment.schedule, 1, seed=1))


def test_a_silent_board_is_one_line(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = f"socket://127.0.0.1:{server.getsockname()[1]}"
        inputs = random_inputs(deployment.schedule, 1, seed=1)
        with connected(port, BOARD) as line, pytest.raises(LinkError, match="does not answer HELLO") as caught:
            measure(deployment, BOARD, inputs, line=line)
    assert "\n" not in str(caught.value)


def test_a_lost_inference_is_reported_within_seconds_of_what_is_predicted(deployment: Deployment) -> None:
    """The firmware hangs, or the board loses its power: a RUN gets no answer."""
    line = _SerialLine(
        VirtualBoard(BOARD, deployment.firmware.elf), outgoing=lambda data: b"" if data[3:4] == b"\x03" else data
    )
    expected = expected_ticks(deployment.schedule, BOARD, "zig")
    inputs = random_inputs(deployment.schedule, 1, seed=1)
    begun = time.monotonic()
    with pytest.raises(LinkError, match=r"does not answer RUN \(2 attempts"):
        measure(deployment, BOARD, inputs, line=_Patient(line), expected_ticks=expected)
    assert time.monotonic() - begun < 20


def test_the_expected_ticks_are_those_of_the_model_that_ships(deployment: Deployment) -> None:
    measured = measure(deployment, BOARD, random_inputs(deployment.schedule, 1, seed=1))
    assert expected_ticks(deployment.schedule, BOARD, "zig") == pytest.approx(measured.ticks, rel=0.1)
    assert expected_ticks(deployment.schedule, BOARD, "no such toolchain") is None


class _SerialLine(DamagingTransport):
    """A virtual board as a serial port shows a real one: it counts cycles."""

    tick_unit = "cycles"


@pytest.mark.parametrize(("external_clock", "clock_hz"), [(True, 72_000_000), (False, 64_000_000)])
def test_milliseconds_are_those_of_the_clock_that_the_device_reached(
    deployment: Deployment,
    external_clock: bool,
    clock_hz: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A Nucleo as delivered has no external clock: its firmware falls back to the internal one and says so."""

    line = _SerialLine(VirtualBoard(BOARD, deployment.firmware.elf, hse_connected=external_clock))
    measured = measure(deployment, BOARD, random_inputs(deployment.schedule, 1, seed=1), line=line)
    assert (measured.unit, measured.clock_hz) == ("cycles", clock_hz)
    document = measurement_json(deployment, measured, BOARD)
    assert document["latency_ms"] == pytest.approx(1e3 * measured.ticks / clock_hz)
    assert ("64 MHz instead of the board file's 72 MHz" in document["cycles_basis"]) is not external_clock
    with caplog.at_level(logging.WARNING):
        warn_of_other_clock(measured.clock_hz, BOARD)
    assert ("runs at 64 MHz, its board file says 72 MHz" in caplog.text) is not external_clock


@pytest.fixture
def model(tmp_path: Path) -> Path:
    builder = GraphBuilder("small", DType.INT8)
    x = builder.conv_2d(builder.input((1, 4, 4, 2)), 3, 3, name="conv")
    graph = with_random_constants(builder.build([x]), seed=0)
    path = tmp_path / "small.tflite"
    write_tflite(graph, path)
    return path


class _Bench:
    """A board at a port: what is flashed to it runs, until something else is. It keeps what happened, in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.log: list[str] = []
        self.machine: VirtualBoard | None = None
        self.refusal: LinkError | None = None
        self._elf = folder / "on the board.elf"
        monkeypatch.setattr(_connection, "SerialPort", self._open)
        monkeypatch.setattr(_flashing, "load_flasher", self._load_flasher)

    def _open(self, port: str, baud: int) -> AbstractContextManager[Transport]:
        if self.refusal is not None:
            raise self.refusal
        self.log.append(f"opened at {baud}")
        if self._elf.exists():
            self.machine = VirtualBoard(BOARD, self._elf)  # as boards that reset when their port is opened
        return closing(_Port(self))

    def _load_flasher(self, board: Board, *, probe: str | None) -> _Bench:
        self.log.append(f"flashed by {probe}")
        return self

    def flash(self, elf: Path) -> None:
        """Talkative, as pyOCD and the tools behind it are."""
        sys.stdout.write("[----|----] progress bar\n")
        os.write(1, b"from C\n")
        subprocess.run(["echo", "from another program"], check=True)
        self._elf.write_bytes(elf.read_bytes())
        self.machine = VirtualBoard(BOARD, self._elf)


class _Patient(_SerialLine):
    """Waits as a serial port does, where the virtual board says at once that nothing comes."""

    def read_until(self, expected: bytes) -> bytes:
        data = super().read_until(expected)
        if not data:
            time.sleep(self.timeout or 0.0)
        return data


class _Port:
    """What a bench's board sends and receives. A real port says cycles."""

    tick_unit: Literal["cycles", "instructions"] = "cycles"

    def __init__(self, bench: _Bench) -> None:
        self._bench = bench
        self.timeout: float | None = None

    @property
    def _machine(self) -> VirtualBoard:
        assert self._bench.machine is not None
        return self._bench.machine

    def write(self, data: bytes) -> int:
        return self._machine.write(data)

    def read_until(self, expected: bytes) -> bytes:
        return self._machine.read_until(expected)

    def reset_input_buffer(self) -> None:
        self._machine.reset_input_buffer()

    def close(self) -> None:
        self._bench.log.append("closed")


def test_the_board_is_flashed_first_unless_told_otherwise(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bench = _Bench(monkeypatch, tmp_path)
    first = measure_model(model, BOARD.name, port="line", probe="A1")
    assert bench.log == ["opened at 115200", "flashed by A1", "closed"]
    again = measure_model(model, BOARD.name, port="line", flash_first=False)
    assert bench.log[3:] == ["opened at 115200", "closed"]
    assert again == first
    assert first["matches_reference"]


def test_a_port_that_cannot_be_opened_is_noticed_before_anything_is_built(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = _Bench(monkeypatch, tmp_path)
    bench.refusal = LinkError("cannot open serial port line: another program holds it")

    def build(*words: object, **options: object) -> None:
        raise AssertionError("built for a board that is not there")

    monkeypatch.setattr(_measure_model, "deploy", build)
    monkeypatch.setattr(_calibrate_board, "deploy", build)
    for command in (["measure", str(model)], ["calibrate"]):
        with pytest.raises(SystemExit) as stopped:
            main([*command, "--board", BOARD.name, "--port", "line"])
        assert stopped.value.code == 3
        assert capsys.readouterr().err == "tinynas: cannot open serial port line: another program holds it\n"
    assert bench.log == []


def test_nothing_but_the_document_is_on_stdout(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever the flasher prints, from Python, from C, or from a program that it starts."""
    _Bench(monkeypatch, tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["measure", str(model), "--board", BOARD.name, "--port", "line", "--json"])
    assert not stopped.value.code
    out, err = capfd.readouterr()
    assert json.loads(out)["transport"] == "serial"
    for words in ("progress bar", "from C", "from another program"):
        assert words in err


@pytest.mark.parametrize("words", [["--virtual"], ["--port", "line", "--no-flash"]])
def test_a_probe_is_chosen_where_something_is_flashed(
    words: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["measure", str(model), "--board", BOARD.name, "--probe", "A1", *words])
    assert stopped.value.code == 2
    assert "--probe goes with --port" in capsys.readouterr().err


def test_without_flashing_another_image_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = _Bench(monkeypatch, tmp_path)
    measure_model(model, BOARD.name, port="line")
    other = tmp_path / "other.tflite"
    write_tflite(with_random_constants(replace(read_tflite(model), tensors=_bare(model)), seed=1), other)
    arguments = ["measure", str(other), "--board", BOARD.name, "--port", "line", "--no-flash"]
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 3
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "runs model 'small' of another build" in line
    assert "without --no-flash" in line
    assert [entry for entry in bench.log if "flashed" in entry] == ["flashed by None"]


def _bare(model: Path) -> tuple[Tensor, ...]:
    return tuple(
        replace(tensor, data=None, quantization=None) if tensor.constant else tensor
        for tensor in read_tflite(model).tensors
    )


def test_a_virtual_board_has_nothing_to_flash(model: Path) -> None:
    with pytest.raises(MeasurementInputError, match="--no-flash goes with --port"):
        measure_model(model, BOARD.name, virtual=True, flash_first=False)


def test_networks_with_several_outputs_are_refused(tmp_path: Path) -> None:
    builder = GraphBuilder("two", DType.INT8)
    x = builder.input((1, 4, 4, 1))
    a, b = builder.max_pool_2d(x, (2, 2), name="a"), builder.max_pool_2d(x, (4, 4), name="b")
    graph = with_random_constants(builder.build([a, b]), seed=0)
    with pytest.raises(UnsupportedGraphError, match="1 inputs and 2 outputs"):
        deploy(graph, BOARD, tmp_path)


def test_networks_that_compute_nothing_are_refused(tmp_path: Path) -> None:
    """Whatever is behind the reshape reaches no output."""
    builder = GraphBuilder("idle", DType.INT8)
    x = builder.input((1, 4, 4, 1))
    y = builder.reshape(x, (1, 16))
    builder.max_pool_2d(x, (2, 2), name="dead")
    with pytest.raises(UnsupportedGraphError, match="'idle' computes nothing"):
        deploy(with_random_constants(builder.build([y]), seed=0), BOARD, tmp_path)


def test_networks_of_more_steps_than_a_profile_holds_are_refused(tmp_path: Path) -> None:
    builder = GraphBuilder("deep", DType.INT8)
    x = builder.input((1, 4, 4, 1))
    for index in range(257):
        x = builder.max_pool_2d(x, (2, 2), stride=(1, 1), padding=Padding.SAME, name=f"pool-{index}")
    graph = with_random_constants(builder.build([x]), seed=0)
    with pytest.raises(UnsupportedGraphError, match="'deep' has 257 steps; the firmware profiles at most 256"):
        deploy(graph, BOARD, tmp_path)
    assert not (tmp_path / "c").exists()


def test_a_memory_model_fitted_with_another_compiler_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_memory_model(BOARD, "zig")
        assert caplog.text == ""
        monkeypatch.setattr(ZigToolchain, "version", lambda self: "zig 99")
        load_memory_model(BOARD, "zig")
        assert "the compiler here is zig 99" in caplog.text


def test_a_memory_model_can_be_read_without_the_compiler(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> Toolchain:
        raise ToolchainError(f"{name} is not installed")

    monkeypatch.setattr(_deployment, "load_toolchain", missing)
    with caplog.at_level(logging.WARNING):
        load_memory_model(BOARD, "zig")
    assert caplog.text == ""


def test_random_inputs_depend_on_the_seed(deployment: Deployment) -> None:
    first, again, other = (random_inputs(deployment.schedule, 2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
