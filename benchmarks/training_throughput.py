"""How long a step of training takes, and with what: the kinds of networks that the demo trains, by its recipe.

    python benchmarks/training_throughput.py
    python benchmarks/training_throughput.py --against ../other-checkout --rounds 5

Milliseconds of the processor, in one thread, for a step of Muon on 256 of the demo's images: of each round the median
of its steps, and of these the median. A training of its own under torch's profiler says how they are shared out among
the operators of torch: convolutions forwards and backwards, batch normalization, activations, and all others (pooling,
copies, the optimizer); "beside" is Python, and gathering the batch. `--against` measures another checkout of this
project in turn, round by round, so that what runs beside it slows both: the ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from tinynas.graph import DType, Graph, count_macs
from tinynas.spaces import Architecture, build_graph, load_space, mobilenet_v2_architecture, plain_cnn_architecture
from tinynas.training import Augmentation, Muon, Supernet, TrainingSettings, load_dataset, train_subnet

_BATCH = 256
_HELD_OUT = 8000
_FIRST = 5
"""Steps before the first that counts."""

_MILLISECONDS, _MICROSECONDS = 1e3, 1e6

# Of space "tiny", as the demo's runs train them: depthwise stages before wide convolutions, where a regression over
# architectures begins, and a stem at full resolution before a depthwise stage and convolutions.
_DEPTHWISE = (4, 3, 0, 0, 8, 1, 2, 3, 0, 0, 20, 1, 0, 3, 0, 2, 64, 2, 3, 3, 0, 0)
_WIDE_STEM = (16, 3, 1, 0, 20, 1, 2, 3, 0, 2, 32, 2, 0, 3, 0, 2, 48, 1, 3, 3, 0, 1)

NETWORKS: dict[str, Callable[[], Architecture]] = {
    "plain-cnn": lambda: plain_cnn_architecture(16, 28, 1, 10, stages=2, convolutions=3, stem_stride=2),
    "mobilenet-v2": lambda: mobilenet_v2_architecture(0.2, 28, 1, 10, depth=0.25),
    "depthwise": lambda: load_space("tiny").decode(_DEPTHWISE, 1.0, 28, 1, 10),
    "wide stem": lambda: load_space("tiny").decode(_WIDE_STEM, 1.0, 28, 1, 10),
}

_PARTS = {
    "convolutions": ("convolution",),
    "their gradients": ("convolution_backward",),
    "batch norm": ("native_batch_norm", "native_batch_norm_backward"),
    "activations": ("hardtanh", "clamp", "relu", "threshold"),
}
"""Part -> what the names of torch's operators that belong to it begin or end with; the longest decides."""

_OTHERS, _BESIDE = "others", "beside"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each network."""
    options = parser().parse_args(arguments)
    if options.steps_of is not None:
        print(json.dumps(_step_milliseconds(options.steps_of, options.steps, options.data)))
        return
    checkouts = [Path(__file__).resolve().parents[1]]
    checkouts += [] if options.against is None else [options.against.resolve()]
    table = Table(title=f"A step of {_BATCH} images: milliseconds of one core, {options.rounds} rounds")
    for column in ("network", "MACs", "step", *_PARTS, _OTHERS, _BESIDE, "images/s"):
        table.add_column(column, justify="left" if column == "network" else "right")
    if options.against is not None:
        table.add_column("step there", justify="right")
        table.add_column("times as fast", justify="right")
    for network in options.networks:
        rounds = [[_elsewhere(checkout, network, options) for checkout in checkouts] for _ in range(options.rounds)]
        here = statistics.median(times[0] for times in rounds)
        cells = [network, f"{count_macs(_graph(network)):,}", f"{here:.1f}"]
        cells += [f"{here * share:.1f}" for share in _shares(network, options.steps, options.data).values()]
        cells.append(f"{_BATCH * _MILLISECONDS / here:,.0f}")
        if options.against is not None:
            cells.append(f"{statistics.median(times[1] for times in rounds):.1f}")
            cells.append(f"{statistics.median(times[1] / times[0] for times in rounds):.2f}")
        table.add_row(*cells)
    Console(width=160).print(table)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    found.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    found.add_argument("--steps", type=int, default=25, help="that count, of each round")
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--against", type=Path, help="another checkout, measured in turn")
    found.add_argument("--data", type=Path, help="data directory")
    found.add_argument("--steps-of", choices=NETWORKS, help="one round of one network, as a number")
    return found


def _elsewhere(checkout: Path, network: str, options: argparse.Namespace) -> float:
    """One round in a process of its own, with the package of `checkout`. What it says on stderr is seen."""
    command = [sys.executable, __file__, "--steps-of", network, "--steps", str(options.steps)]
    if options.data is not None:
        command += ["--data", str(options.data.resolve())]
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    return float(json.loads(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout))


def _graph(network: str) -> Graph:
    return build_graph(NETWORKS[network](), DType.FLOAT32)


def _step_milliseconds(network: str, steps: int, data: Path | None) -> float:
    """The median of the steps that count."""
    times: list[float] = []
    _train(network, _FIRST + steps, data, lambda: times.append(time.process_time()))
    return _MILLISECONDS * statistics.median(b - a for a, b in zip(times[_FIRST - 1 :], times[_FIRST:], strict=False))


def _shares(network: str, steps: int, data: Path | None) -> dict[str, float]:
    """What of a step is spent with what."""
    profiler = profile(activities=[ProfilerActivity.CPU])
    ends: list[float] = []

    def after_step() -> None:
        if len(ends) == _FIRST:
            profiler.start()
        ends.append(time.perf_counter())

    _train(network, _FIRST + 1 + steps, data, after_step)
    profiler.stop()
    microseconds = _MICROSECONDS * (ends[-1] - ends[_FIRST])
    shares = dict.fromkeys((*_PARTS, _OTHERS), 0.0)
    for event in profiler.key_averages():
        if event.key.startswith("aten::"):
            shares[_part(event.key.removeprefix("aten::"))] += event.self_cpu_time_total / microseconds
    return shares | {_BESIDE: 1 - sum(shares.values())}


def _part(operator: str) -> str:
    fitting = [
        (len(name), part)
        for part, names in _PARTS.items()
        for name in names
        if operator.startswith(name) or operator.endswith(name)
    ]
    return max(fitting)[1] if fitting else _OTHERS


def _train(network: str, steps: int, data: Path | None, after_step: Callable[[], None]) -> None:
    torch.set_num_threads(1)
    graph = _graph(network)
    examples = load_dataset("fashion-mnist", directory=data, held_out=_HELD_OUT, seed=0).train
    settings = TrainingSettings(
        steps=steps,
        batch_size=_BATCH,
        optimizer=Muon(),
        label_smoothing=0.0,
        shards=1,
        augmentation=Augmentation(flip=True),
    )
    train_subnet(
        Supernet([graph]), graph, data=examples, settings=settings, progress=lambda done, total, loss: after_step()
    )


if __name__ == "__main__":
    main()
