"""Fit what our kernels take on the virtual board of a core, and write it to memory_models/.

Cycles by the timing of the core, a model, and the instructions of the same inferences beside them; instructions alone
where Arm publishes no timings.

The shipped model lets `tinynas inspect` predict without a board, and is the prior that measurements of a real board
refine. Checked on networks drawn from another seed and with larger layers than the fitted ones.

    tools/regenerate_latency_model.py --board virt-m4 [--toolchain gcc]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from statistics import fmean

import tinynas
from tinynas.boards import Device, Toolchain, VirtualBoard, build_firmware, load_toolchain
from tinynas.engine import generate
from tinynas.latency import (
    LatencyMetrics,
    LatencyModel,
    Measurement,
    NetworkLimits,
    Quantity,
    Unit,
    calibration_networks,
    deciding_quantity,
    diverse_networks,
    fit_latency,
    instruction_quantity,
    latency_metrics,
    latency_model_path,
    measurements_of,
    save_latency_model,
)
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import kernel_hashes, plan_arena
from tinynas.targets import Board, load_board

FIT_LIMITS = NetworkLimits(activation_bytes=6_000, weight_bytes=6_000, layers=12, macs=1_000_000)
CHECK_LIMITS = NetworkLimits(activation_bytes=16_000, weight_bytes=16_000, layers=16, macs=3_000_000)


OBSERVATIONS = 4
"""Layers for each coefficient of a model that ships: twice what is measured on a board, for narrower intervals."""

StepCounts = Mapping[Unit, tuple[int, ...]]
"""What the steps of a schedule took, by unit."""

Counted = tuple[Schedule, StepCounts]

LARGEST_ERROR = 0.05
"""Mean absolute relative error on unseen networks that a shipped model may have."""

LARGEST_HALF_WIDTH = 0.20
"""Half of the 90 % interval over the total that each unseen network may have."""


class BadFitError(Exception):
    """A model that should not ship."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, check, write. Returns 1 where unseen networks are predicted too badly: then nothing is written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", required=True)
    parser.add_argument("--toolchain", default="zig")
    parser.add_argument("--fit", type=int, default=24, help="random networks to fit; probes come on top")
    parser.add_argument("--check", type=int, default=16, help="networks to check with")
    parser.add_argument("--out", type=Path, help="folder (default: the models that ship)")
    options = parser.parse_args(arguments)
    board, toolchain = load_board(options.board), load_toolchain(options.toolchain)
    lowering = Lowering.for_core(board.core)
    networks = calibration_networks(
        options.fit, limits=FIT_LIMITS, seed=3, lowering=lowering, observations=OBSERVATIONS
    )
    measured = [(schedule, measure(board, schedule, toolchain)) for schedule in networks]
    networks = diverse_networks(options.check, limits=CHECK_LIMITS, seed=4, lowering=lowering)
    unseen = [(schedule, measure(board, schedule, toolchain)) for schedule in networks]
    counted = instruction_quantity(board)
    try:
        instructions = fitted(counted, measured, unseen)
        decides = deciding_quantity(board)
        model = instructions
        if decides != counted:
            model = dataclasses.replace(fitted(decides, measured, unseen), instructions=instructions)
    except BadFitError as error:
        print(f"{board.name}: {error}: nothing is written", file=sys.stderr)
        return 1
    provenance = {
        "board": board.name,
        "compiler": toolchain.version(),
        "sources": kernel_hashes(model.variants),
        "tinynas": tinynas.__version__,
        "networks": len(measured),
        **model.provenance,
    }
    path = latency_model_path(board.core.name, options.toolchain, options.out)
    save_latency_model(dataclasses.replace(model, provenance=provenance), path)
    print(f"wrote {path}")
    return 0


def fitted(quantity: Quantity, measured: Sequence[Counted], unseen: Sequence[Counted]) -> LatencyModel:
    """The model in one quantity, with how well it fits in its provenance.

    Raises:
        BadFitError: networks that were not fitted do not bear it out.
    """
    layers = layers_of(quantity, measured)
    model = fit_latency(layers, unit=quantity.unit, basis=quantity.basis)
    metrics = latency_metrics(
        [model.predict(schedule) for schedule, _ in unseen],
        [float(sum(counts[quantity.unit])) for _, counts in unseen],
    )
    errors = layer_errors(model, layers)
    error = fmean(chain(*errors.values()))
    print(f"{quantity.unit}: {len(layers)} layers, fit error {100 * error:.2f} %, unseen {metrics}")
    for name in islice(errors, 5):
        print(f"  {name}: mean {100 * fmean(errors[name]):.2f} %, at most {100 * max(errors[name]):.2f} %")
    refusal = refused(metrics)
    if refusal is not None:
        raise BadFitError(f"in {quantity.unit}, {refusal}")
    check = {"layers": len(layers), "fit_mape": error, "check": dataclasses.asdict(metrics)}
    return dataclasses.replace(model, provenance=check)


def layers_of(quantity: Quantity, measured: Sequence[Counted]) -> list[Measurement]:
    """The layers of networks, in one quantity."""
    return [layer for schedule, counts in measured for layer in measurements_of(schedule, counts[quantity.unit])]


def refused(metrics: LatencyMetrics) -> str | None:
    """Why a model with these metrics on unseen networks should not ship, None where it may."""
    if metrics.mape > LARGEST_ERROR:
        return f"the mean error on unseen networks is {metrics.mape:.1%}, above {LARGEST_ERROR:.0%}"
    if metrics.largest_half_width > LARGEST_HALF_WIDTH:
        return (
            f"the interval of an unseen network is {metrics.largest_half_width:.0%} of its total wide to each side, "
            f"above {LARGEST_HALF_WIDTH:.0%}: too few layers tell its coefficients apart"
        )
    return None


def measure(board: Board, schedule: Schedule, toolchain: Toolchain) -> StepCounts:
    """Each step of one inference, without profiling code: instructions, and cycles where the core has a timing."""
    with tempfile.TemporaryDirectory() as folder:
        model = generate(schedule, plan_arena(schedule), Path(folder) / "model")
        firmware = build_firmware(board, Path(folder) / "model", model.kernel_sources, toolchain, Path(folder))
        transport = VirtualBoard(board, firmware.elf)
        device = Device(transport)
        size = device.hello().input_bytes
        transport.clear_counts()
        device.write_input(bytes((31 * i) % 251 for i in range(size)))
        device.run()
        counts = transport.inference_counts()
        transport.close()
    return {"instructions": counts.steps} | ({} if counts.cycles is None else {"cycles": counts.cycles})


def layer_errors(model: LatencyModel, layers: Sequence[Measurement]) -> dict[str, list[float]]:
    """Absolute relative errors of the fitted layers, by kernel, worst mean first."""
    errors: dict[str, list[float]] = {}
    for layer in layers:
        parts = ((layer.variant, layer.features), *layer.within)
        predicted = sum(model.variants[name].ticks(features) for name, features in parts)
        errors.setdefault(layer.variant, []).append(abs(predicted / layer.value - 1))
    return dict(sorted(errors.items(), key=lambda item: -fmean(item[1])))


if __name__ == "__main__":
    sys.exit(main())
