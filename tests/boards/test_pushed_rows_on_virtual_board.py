"""A model that takes its input row by row, driven by the serial protocol."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from tinynas.boards import Device, DeviceError, Firmware, LinkError, VirtualBoard, ZigToolchain, build_firmware
from tinynas.boards._device import Command, Status
from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder, execute
from tinynas.latency import with_random_constants
from tinynas.lowering import Lowering, Schedule, StreamPlan
from tinynas.memory import plan_arena
from tinynas.targets import load_board
from tinynas.testing import FakeClock, FaultRates, FaultyLine, random_input

BOARD = load_board("virt-m4")


def _network(width: int) -> Graph:
    b = GraphBuilder("camera", DType.INT8)
    x = b.conv_2d(b.input((1, 20, width, 3)), 8, 3, stride=2, name="stem")
    y = b.depthwise_conv_2d(b.conv_2d(x, 24, 1, name="expand"), 3, name="depthwise")
    x = b.add(x, b.conv_2d(y, 8, 1, name="project"), name="sum")
    return with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 5, name="head")]), 1)


def _schedule(graph: Graph) -> Schedule:
    return Lowering.for_core(BOARD.core)(graph, streams=(StreamPlan(0, (1, 1, 2, 1, 1), pushed=True),))


def _build(schedule: Schedule, folder: Path) -> Firmware:
    model = generate(schedule, plan_arena(schedule), folder / "model")
    return build_firmware(BOARD, folder / "model", model.kernel_sources, ZigToolchain(), folder / "out")


# Rows that fill part of a frame, end in the middle of one, and need more than one.
@pytest.mark.parametrize("width", [16, 31, 400])
def test_frames_of_any_length_become_rows(width: int, tmp_path: Path) -> None:
    graph = _network(width)
    machine = VirtualBoard(BOARD, _build(_schedule(graph), tmp_path).elf)
    device = Device(machine)
    assert device.hello().row_bytes == 3 * width
    rng = np.random.default_rng(1)
    totals = []
    for _ in range(2):
        image = random_input(graph, rng)
        machine.clear_counts()
        output = device.infer(np.ascontiguousarray(image[0]).tobytes())
        assert output == execute(graph, image)[graph.outputs[0]].tobytes()
        count = machine.inference_counts()
        assert count.inferences == 1
        assert len(count.steps) == 3
        totals.append(count.total)
        # The device's own counter has the calls of model_push_row, and what reading the counter takes.
        assert 0 < device.run().ticks - count.total < 30 * 20
    assert totals[0] == totals[1]
    profile = device.profile()
    assert len(profile) == 3
    assert profile == pytest.approx(count.steps, rel=0.05)


def test_a_network_that_is_one_segment_is_counted(tmp_path: Path) -> None:
    b = GraphBuilder("rows to rows", DType.INT8)
    x = b.conv_2d(b.conv_2d(b.input((1, 12, 10, 3)), 8, 3, name="first"), 4, 1, name="second")
    graph = with_random_constants(b.build([x]), 0)
    schedule = Lowering.for_core(BOARD.core)(graph, streams=(StreamPlan(0, (1, 1), pushed=True),))
    machine = VirtualBoard(BOARD, _build(schedule, tmp_path).elf)
    image = random_input(graph, np.random.default_rng(0))
    output = Device(machine).infer(np.ascontiguousarray(image[0]).tobytes())
    assert output == execute(graph, image)[graph.outputs[0]].tobytes()
    count = machine.inference_counts()
    assert count.inferences == 1
    assert count.steps == pytest.approx(Device(machine).profile(), rel=0.05)


def test_a_line_with_faults_pushes_every_row_once(tmp_path: Path) -> None:
    """A row that is pushed twice, or not at all, would be in the output: an answer that was lost is asked for again."""
    graph = _network(31)
    machine = VirtualBoard(BOARD, _build(_schedule(graph), tmp_path).elf)
    image = random_input(graph, np.random.default_rng(3))
    data = np.ascontiguousarray(image[0]).tobytes()
    expected = execute(graph, image)[graph.outputs[0]].tobytes()
    right = 0
    for seed in range(30):
        clock = FakeClock()
        rates = FaultRates(drop=2e-4, flip=2e-4, double=2e-4, repeat=0.2, cut=0.1, delay=0.1)
        device = Device(FaultyLine(machine, rates, Random(seed), clock), clock=clock)
        try:
            output = device.infer(data)
        except LinkError:
            continue
        assert output == expected
        right += 1
    assert right > 5


def test_an_image_is_begun_anew_and_is_pushed_once(tmp_path: Path) -> None:
    graph = _network(16)
    device = Device(VirtualBoard(BOARD, _build(_schedule(graph), tmp_path).elf))
    image = random_input(graph, np.random.default_rng(2))
    data = np.ascontiguousarray(image[0]).tobytes()
    expected = execute(graph, image)[graph.outputs[0]].tobytes()

    def write(offset: int, piece: bytes) -> None:
        device._request(Command.WRITE_INPUT, offset.to_bytes(4, "little") + piece)

    def repeat(offset: int, piece: bytes) -> None:
        device._sequence -= 1
        write(offset, piece)

    def refuses(status: Status) -> pytest.RaisesExc[DeviceError]:
        return pytest.raises(DeviceError, match=status.name)

    with refuses(Status.NO_IMAGE):
        device.run()
    write(0, data[:500])
    with refuses(Status.OUT_OF_RANGE):
        write(600, data[600:])
    with refuses(Status.NO_IMAGE):
        device.run()
    write(0, data[:100])
    repeat(0, data[:100])
    write(100, data[100:700])
    repeat(100, data[100:700])
    write(700, data[700:])
    with refuses(Status.NO_IMAGE):
        device.run(2)
    assert device.run().inferences == 1
    assert device.read_output() == expected
    device.profile()
    with refuses(Status.NO_IMAGE):
        device.run()
    assert device.infer(data) == expected
