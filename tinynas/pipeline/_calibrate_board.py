"""What `tinynas calibrate` does: measure networks made for it, fit the latency model, test it on unseen networks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinynas import __version__
from tinynas.errors import ExternalError
from tinynas.graph import Graph
from tinynas.latency import (
    InferenceMeasurement,
    LatencyModel,
    Measurement,
    calibration_networks,
    fit_latency,
    latency_metrics,
    to_json,
)
from tinynas.lowering import Schedule
from tinynas.pipeline._atomic import write_atomically
from tinynas.pipeline._deployment import deploy, load_memory_model
from tinynas.pipeline._flashing import flash
from tinynas.pipeline._measure_model import MeasurementInputError
from tinynas.pipeline._measurement import NetworkMeasurement, measure, random_inputs, warn_of_other_clock
from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.targets import Board, load_board

FIT_NETWORKS = 20
HOLDOUT_NETWORKS = 12
_HOLDOUT_SEED = 1_000


@dataclass(frozen=True)
class _Measured:
    schedule: Schedule
    measured: NetworkMeasurement

    def layers(self) -> list[Measurement]:
        return self.measured.layers(self.schedule)

    def inference(self) -> InferenceMeasurement:
        return self.measured.inference()


def calibrate_board(
    board_name: str,
    *,
    virtual: bool = False,
    port: str | None = None,
    out: Path | None = None,
    toolchain: str = "zig",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit the latency model of a board and test it on networks that the fit has not seen.

    Args:
        board_name: a board's name or file.
        virtual: measure on the virtual board (instructions).
        port: measure on the real board at this serial port (cycles); every network is flashed.
        out: where the model goes; `latency-BOARD.json` in the working folder by default.
        toolchain: "zig" or "gcc".
        seed: of the networks.
        progress: who watches.

    Returns:
        The object that `--json` prints.

    Raises:
        MeasurementInputError: neither or both of `virtual` and `port`.
        ExternalError: no network fits the board, an output differs, or the board failed.
    """
    if virtual == (port is not None):
        raise MeasurementInputError("give either --virtual or --port PORT: what should be calibrated?")
    board = load_board(board_name)
    memory = load_memory_model(board, toolchain)
    watch = progress or SilentProgress()

    def networks(count: int, network_seed: int) -> list[Graph]:
        return calibration_networks(count, fits=lambda s: memory.fits(s).fits is True, seed=network_seed)

    fitted = _measure_all("calibration networks", networks(FIT_NETWORKS, seed), board, port, toolchain, watch)
    unseen = _measure_all(
        "unseen networks", networks(HOLDOUT_NETWORKS, seed + _HOLDOUT_SEED), board, port, toolchain, watch
    )
    warn_of_other_clock(fitted[0].measured.clock_hz, board)
    layers = [layer for network in fitted for layer in network.layers()]
    model = fit_latency(
        layers,
        unit=fitted[0].measured.unit,
        inferences=[network.inference() for network in fitted],
        provenance={
            "board": board.name,
            "core": board.core.name,
            "toolchain": toolchain,
            "transport": "virtual" if port is None else "serial",
            "networks": len(fitted),
            "seed": seed,
            "tinynas": __version__,
        },
    )
    target = out if out is not None else Path(f"latency-{board.name}.json")
    metrics = latency_metrics(
        [model.predict(network.schedule) for network in unseen], [network.measured.ticks for network in unseen]
    )
    result = {
        "measurements": len(layers),
        "fit": {"mape": _mean_error(model, fitted)},
        "holdout": {
            "networks": metrics.networks,
            "mape": metrics.mape,
            "within_10pct": metrics.within_10pct,
            "spearman": metrics.spearman,
            "coverage_90": metrics.coverage_90,
        },
        "file": str(target),
    }
    document = {**to_json(model), "fit": result["fit"], "holdout": result["holdout"]}
    write_atomically(target, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return result


def _measure_all(
    title: str, graphs: Sequence[Graph], board: Board, port: str | None, toolchain: str, watch: Progress
) -> list[_Measured]:
    if not graphs:
        raise ExternalError(f"no calibration network fits {board.name}: its memory is too small to calibrate")
    watch.begin(title, len(graphs))
    found = []
    for index, graph in enumerate(graphs):
        with tempfile.TemporaryDirectory(prefix="tinynas-calibrate-") as scratch:
            deployment = deploy(graph, board, Path(scratch), toolchain=toolchain)
            if port is not None:
                flash(board, deployment.firmware.elf)
            measured = measure(deployment, board, random_inputs(deployment.schedule, 1, index), port=port)
        if measured.mismatches:
            raise ExternalError(f"network {graph.name!r} on {board.name} differs from the reference executor")
        found.append(_Measured(deployment.schedule, measured))
        watch.advance(index + 1)
    watch.end(f"{len(found)} networks, every output equal to the reference")
    return found


def _mean_error(model: LatencyModel, networks: Sequence[_Measured]) -> float:
    """Mean absolute relative error per layer, on the layers of the fit."""
    errors = [
        abs(step.value / ticks - 1.0)
        for network in networks
        for step, ticks in zip(model.predict(network.schedule).steps, network.measured.steps, strict=True)
        if step.value is not None
    ]
    return sum(errors) / len(errors)
