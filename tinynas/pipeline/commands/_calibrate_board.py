"""What `tinynas calibrate` does: measure networks made for it, fit the latency model, test it on unseen networks."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinynas import __version__
from tinynas.boards import Transport
from tinynas.compact_json import compact_json
from tinynas.errors import ExternalError
from tinynas.latency import (
    InferenceMeasurement,
    LatencyModel,
    Measurement,
    Quantity,
    calibration_networks,
    diverse_networks,
    fit_latency,
    instruction_quantity,
    latency_metrics,
    to_json,
)
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import kernel_hashes
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.pipeline.commands._measure_model import MeasurementInputError
from tinynas.pipeline.costs import expected_ticks
from tinynas.pipeline.deployment import (
    NetworkMeasurement,
    connected,
    deploy,
    flash,
    load_memory_model,
    measure,
    random_inputs,
    warn_of_other_clock,
)
from tinynas.pipeline.run.storage import write_atomically
from tinynas.targets import Board, load_board

logger = logging.getLogger(__name__)

FIT_NETWORKS = 20
"""Random networks; the probes of what they cover thinly come on top."""

HOLDOUT_NETWORKS = 12
_HOLDOUT_SEED = 1_000


@dataclass(frozen=True)
class _Measured:
    schedule: Schedule
    measured: NetworkMeasurement

    def layers(self) -> list[Measurement]:
        return self.measured.layers(self.schedule)

    def counted_in(self, quantity: Quantity) -> _Measured:
        """The same inference in another quantity, which the board has counted too."""
        return replace(self, measured=replace(self.measured, quantity=quantity))

    def inference(self) -> InferenceMeasurement:
        return self.measured.inference()


@dataclass(frozen=True)
class _Bench:
    """Where networks are measured: on the virtual board where `line` leads nowhere."""

    board: Board
    toolchain: str
    line: Transport | None
    probe: str | None
    watch: Progress

    def measure_all(self, title: str, schedules: Sequence[Schedule]) -> list[_Measured]:
        if not schedules:
            raise ExternalError(f"no calibration network fits {self.board.name}: its memory is too small to calibrate")
        self.watch.begin(title, len(schedules))
        found = []
        for index, schedule in enumerate(schedules):
            found.append(self._measure(schedule, index))
            self.watch.advance(index + 1)
        self.watch.end(f"{len(found)} networks, every output equal to the reference")
        return found

    def _measure(self, schedule: Schedule, seed: int) -> _Measured:
        board = self.board
        with tempfile.TemporaryDirectory(prefix="tinynas-calibrate-") as scratch:
            deployment = deploy(schedule.graph, board, Path(scratch), toolchain=self.toolchain, schedule=schedule)
            expected = None
            if self.line is not None:
                expected = expected_ticks(deployment.schedule, board, self.toolchain)
                flash(board, deployment.firmware.elf, probe=self.probe)
            inputs = random_inputs(deployment.schedule, 1, seed)
            measured = measure(deployment, board, inputs, line=self.line, expected_ticks=expected)
        if measured.mismatches:
            raise ExternalError(f"network {schedule.graph.name!r} on {board.name} differs from the reference executor")
        return _Measured(deployment.schedule, measured)


def calibrate_board(
    board_name: str,
    *,
    virtual: bool = False,
    port: str | None = None,
    probe: str | None = None,
    out: Path | None = None,
    toolchain: str = "zig",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the latency model of a board and test it on networks that the fit has not seen.

    Args:
        board_name: a board's name or file.
        virtual: measure on the virtual board: cycles by the timing of the core, a model, and instructions of the same
            inferences beside them; instructions alone where there is none.
        port: measure on the real board at this serial port (cycles); every network is flashed.
        probe: unique id of the debug probe that flashes the board; needed where several are connected.
        out: where the model goes; `latency-BOARD.json` in the working folder by default.
        toolchain: "zig" or "gcc".
        seed: of the networks.
        progress: who watches.

    Returns:
        The object that `--json` prints.

    Raises:
        MeasurementInputError: neither or both of `virtual` and `port`.
        LinkError: the port cannot be opened.
        ExternalError: no network fits the board, an output differs, or the board failed.
    """
    if virtual == (port is not None):
        raise MeasurementInputError("give either --virtual or --port PORT: what should be calibrated?")
    if probe is not None and virtual:
        raise MeasurementInputError("--probe goes with --port: it names what flashes the board")
    board = load_board(board_name)
    with connected(port, board) as line:
        bench = _Bench(board, toolchain, line, probe, progress or SilentProgress())
        return _calibrate(bench, seed, out if out is not None else Path(f"latency-{board.name}.json"))


def _calibrate(bench: _Bench, seed: int, target: Path) -> dict[str, Any]:
    board, toolchain = bench.board, bench.toolchain
    memory = load_memory_model(board, toolchain)

    def fits(schedule: Schedule) -> bool:
        return memory.fits(schedule).fits is True

    lowering = Lowering.for_core(board.core)
    networks = calibration_networks(FIT_NETWORKS, fits=fits, seed=seed, lowering=lowering)
    fitted = bench.measure_all("calibration networks", networks)
    warn_of_other_clock(fitted[0].measured.clock_hz, board)
    layers = [layer for network in fitted for layer in network.layers()]
    quantity, counted = fitted[0].measured.quantity, instruction_quantity(board)
    instructions = None
    if quantity != counted and counted.unit in fitted[0].measured.counts:
        instructions = _fit([network.counted_in(counted) for network in fitted])
    model = replace(
        _fit(fitted),
        instructions=instructions,
        provenance={
            "board": board.name,
            "core": board.core.name,
            "toolchain": toolchain,
            "transport": "virtual" if bench.line is None else "serial",
            "networks": len(fitted),
            "seed": seed,
            "sources": kernel_hashes({layer.variant for layer in layers}),
            "tinynas": __version__,
        },
    )
    fit = {"mape": _mean_error(model, fitted)}
    # Kept before it is tested: measurements of a real board take minutes.
    _write(target, {**to_json(model), "fit": fit})
    networks = diverse_networks(HOLDOUT_NETWORKS, fits=fits, seed=seed + _HOLDOUT_SEED, lowering=lowering)
    unseen = bench.measure_all("unseen networks", networks)
    holdout = _holdout(model, unseen)
    _write(target, {**to_json(model), "fit": fit, "holdout": holdout})
    return {
        "measurements": len(layers),
        "decided_by": quantity.as_json(),
        "fit": fit,
        "holdout": holdout,
        "file": str(target),
    }


def _fit(networks: Sequence[_Measured]) -> LatencyModel:
    """The model in the quantity that the networks are counted in."""
    quantity = networks[0].measured.quantity
    return fit_latency(
        [layer for network in networks for layer in network.layers()],
        unit=quantity.unit,
        basis=quantity.basis,
        inferences=[network.inference() for network in networks],
    )


def _holdout(model: LatencyModel, unseen: Sequence[_Measured]) -> dict[str, Any]:
    """How well the model predicts networks that it has not seen; None where it can predict none of them.

    Networks with a kernel that was never measured are left out and their kernels named: small boards cannot hold every
    probe.
    """
    predictions = [(model.predict(network.schedule), float(network.measured.ticks)) for network in unseen]
    known = [(p, ticks) for p, ticks in predictions if p.total is not None]
    unknown = sorted({variant for p, _ in predictions for variant in p.unknown})
    if unknown:
        logger.warning(
            "%d of %d unseen networks are not compared; never measured on this board: %s",
            len(predictions) - len(known),
            len(predictions),
            ", ".join(unknown),
        )
    metrics = latency_metrics([p for p, _ in known], [ticks for _, ticks in known]) if known else None
    return {
        "networks": len(known),
        "mape": None if metrics is None else metrics.mape,
        "within_10pct": None if metrics is None else metrics.within_10pct,
        "spearman": None if metrics is None else metrics.spearman,
        "coverage_90": None if metrics is None else metrics.coverage_90,
        "half_width": None if metrics is None else metrics.half_width,
        "never_measured": unknown,
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    write_atomically(path, compact_json(document).encode())


def _mean_error(model: LatencyModel, networks: Sequence[_Measured]) -> float:
    """Mean absolute relative error per layer, on the layers of the fit."""
    errors = [
        abs(step.value / ticks - 1.0)
        for network in networks
        for step, ticks in zip(model.predict(network.schedule).steps, network.measured.steps, strict=True)
        if step.value is not None
    ]
    return sum(errors) / len(errors)
