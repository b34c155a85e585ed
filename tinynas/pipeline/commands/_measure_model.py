"""What `tinynas measure` answers: a .tflite model on a board, counted per layer and compared bit by bit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tinynas.errors import UsageError
from tinynas.graph import DType, Graph
from tinynas.graph.passes import as_int8
from tinynas.latency import Quantity, deciding_quantity, no_cycles
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline._read_network import read_network, tell_of_uint8, uint8_json
from tinynas.pipeline.commands._input_by_rows import input_by_rows_for_board, input_by_rows_json
from tinynas.pipeline.costs import choose_for_board, decided_by_json, expected_ticks, schedule_json
from tinynas.pipeline.deployment import (
    Deployment,
    Int8Array,
    NetworkMeasurement,
    connected,
    deploy,
    flash,
    measure,
    random_inputs,
    warn_of_other_clock,
)
from tinynas.pipeline.run.storage import storage_error
from tinynas.targets import Board, load_board


class MeasurementInputError(UsageError):
    """Inputs that the model does not take, or an unclear choice of board."""


def measure_model(
    model: Path,
    board_name: str,
    *,
    virtual: bool = False,
    port: str | None = None,
    probe: str | None = None,
    flash_first: bool = True,
    toolchain: str = "zig",
    runs: int = 1,
    input_file: Path | None = None,
    output_file: Path | None = None,
    arena_bytes: int | None = None,
    stream_input: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a model file on a board.

    Args:
        model: an int8 `.tflite` file.
        board_name: a board's name or file.
        virtual: measure on the virtual board.
        port: serial port of a real board. It is held from before the firmware is built.
        probe: unique id of the debug probe that flashes the board; needed where several are connected.
        flash_first: write the firmware to the board at `port`. Otherwise it must be there: same model, sources and
            compiler, which the build id in the device's HELLO tells.
        toolchain: "zig" or "gcc".
        runs: random inputs to compare, if no `input_file` is given.
        input_file: int8 array of one input, or of several stacked along a new first axis (.npy); uint8 where the
            file's input is.
        output_file: gets the int8 outputs of the board, stacked (.npy).
        arena_bytes: what the arena may take: the fastest way to execute the model that fits it is built.
        stream_input: the input comes row by row; of the ways to do that, the fastest that fits.
        progress: who watches.

    Returns:
        The object that `--json` prints; `uint8_borders` is there where the file has some: what they are named, and
        the int8 that the network has instead.

    Raises:
        MeasurementInputError: neither or both of `virtual` and `port`, nothing to flash, or inputs of another shape or
            type.
        LinkError: the port cannot be opened, or, without `flash_first`, another image runs on the board.
        ArenaTooSmall: no way to execute the model takes at most `arena_bytes`.
        RowsTooLarge: the same with `stream_input`.
        StreamError: with `stream_input`, the first layers cannot run row by row.
        TinyNASError: the model cannot be read, lowered, built, or run.
    """
    if virtual == (port is not None):
        raise MeasurementInputError("give either --virtual or --port PORT: where should the model run?")
    if virtual and not flash_first:
        raise MeasurementInputError("--no-flash goes with --port: a virtual board has nothing to flash")
    if probe is not None and (virtual or not flash_first):
        raise MeasurementInputError("--probe goes with --port, without --no-flash: it names what flashes the board")
    board = load_board(board_name)
    file, graph = read_network(model)
    tell_of_uint8(model, file)
    given = None if input_file is None else _read_inputs(input_file, file)
    watch = progress or SilentProgress()
    with connected(port, board) as line, tempfile.TemporaryDirectory(prefix="tinynas-measure-") as scratch:
        watch.begin("firmware", 0)
        choose = input_by_rows_for_board if stream_input else choose_for_board
        chosen = choose(graph, board, toolchain, arena_bytes=arena_bytes)
        deployment = deploy(chosen.schedule.graph, board, Path(scratch), toolchain=toolchain, schedule=chosen.schedule)
        expected = None if line is None else expected_ticks(deployment.schedule, board, toolchain)
        if line is not None and flash_first:
            flash(board, deployment.firmware.elf, probe=probe)
        watch.end(deployment.firmware.toolchain)
        inputs = random_inputs(deployment.schedule, runs, seed=0) if given is None else given
        watch.begin("inferences", len(inputs))
        measured = measure(deployment, board, inputs, line=line, expected_ticks=expected, progress=watch.advance)
        watch.end(f"{measured.mismatches} of {len(inputs)} differ from the reference")
        warn_of_other_clock(measured.clock_hz, board)
    if output_file is not None:
        try:
            with output_file.open("wb") as stream:
                np.save(stream, measured.outputs, allow_pickle=False)
        except OSError as error:
            raise storage_error(output_file, error) from error
    document = {
        **measurement_json(deployment, measured, board),
        "decided_by": decided_by_json(chosen.kernels),
        "schedule": schedule_json(chosen),
        **uint8_json(file),
    }
    return document | ({"input_by_rows": input_by_rows_json(chosen)} if stream_input else {})


def measurement_json(deployment: Deployment, measured: NetworkMeasurement, board: Board) -> dict[str, Any]:
    """A measurement with the keys of the contract of `tinynas measure --json`."""
    instructions = measured.counts.get("instructions")
    by_clock = deciding_quantity(board, virtual=instructions is not None)
    cycles, basis = _cycles(measured, by_clock, board)
    # Cycles by a factor that the board file declares are those of the whole alone.
    shown = {unit: counts.steps for unit, counts in measured.counts.items() if unit in ("instructions", by_clock.unit)}
    graph = deployment.schedule.graph
    return {
        "transport": "serial" if instructions is None else "virtual",
        "unit": measured.unit,
        "instructions": None if instructions is None else instructions.total,
        "cycles": cycles,
        "cycles_basis": basis,
        "cycles_name": by_clock.name if by_clock.unit == "cycles" else "cycles",
        "latency_ms": None if cycles is None else 1e3 * cycles / measured.clock_hz,
        "layers": [
            {
                "index": step.index,
                "kind": str(graph.ops[step.ops[-1]].kind),
                "name": step.name,
                "variant": step.variant,
                "macs": step.macs,
                **{unit: steps[index] for unit, steps in shown.items()},
                "per_mac": ticks / step.macs if step.macs else None,
            }
            for index, (step, ticks) in enumerate(zip(deployment.schedule.steps, measured.steps, strict=True))
        ],
        "functions": [
            {
                "name": name,
                "instructions": count.instructions,
                "cycles": count.cycles if by_clock.unit == "cycles" else None,
            }
            for name, count in measured.functions.items()
        ],
        "sram_high_water_bytes": measured.memory.sram_high_water_bytes,
        "flash_bytes": deployment.firmware.flash_bytes,
        "matches_reference": measured.mismatches == 0,
        "toolchain": deployment.firmware.toolchain,
    }


def _cycles(measured: NetworkMeasurement, quantity: Quantity, board: Board) -> tuple[int | None, str]:
    """Cycles of one inference, and what they and their milliseconds rest on."""
    if quantity.cycles_each is None:
        return None, f"the virtual board counts instructions: {no_cycles(board)}"
    clock = ""
    if measured.clock_hz != board.clock_hz:
        clock = f", at {measured.clock_hz / 1e6:g} MHz instead of the board file's {board.clock_hz / 1e6:g} MHz"
    return round(measured.counts[quantity.unit].total * quantity.cycles_each), f"{quantity.basis}{clock}"


def _read_inputs(path: Path, file: Graph) -> Int8Array:
    """The inputs in a .npy file, as the network takes them."""
    tensor = file.tensor(file.inputs[0])
    shape, kinds = tensor.shape[1:], ["int8", "uint8"] if tensor.dtype is DType.UINT8 else ["int8"]
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise MeasurementInputError(f"cannot read inputs {path}: {error.strerror or 'not a .npy file'}") from error
    except (ValueError, EOFError) as error:
        raise MeasurementInputError(f"cannot read inputs {path}: not a .npy file of numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype not in kinds:
        kind = getattr(array, "dtype", type(array).__name__)
        raise MeasurementInputError(
            f"{path} holds {kind}: the model takes {' or '.join(kinds)} inputs of shape {list(shape)}"
        )
    values = as_int8(array) if array.dtype == np.uint8 else array
    if values.shape[1:] == shape and len(values) > 0:
        return values
    if values.shape == shape:
        return values[np.newaxis]
    raise MeasurementInputError(
        f"{path} has shape {list(array.shape)}: the model takes {list(shape)}, or several stacked: "
        f"[N, {', '.join(map(str, shape))}]"
    )
