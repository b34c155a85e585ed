"""Everything that `tinynas inspect`, `export` and `measure` do with a model file, short of a compiler."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.errors import TinyNASError
from tinynas.formats import FormatError, read_tflite, write_tflite
from tinynas.graph import count_macs, execute, simplified
from tinynas.graph.passes import as_int8
from tinynas.memory.tflm import Kernels
from tinynas.pipeline import export_model, inspect_model
from tinynas.testing import random_input

BOARDS = ("nucleo-f303k8", "virt-m0plus")
"""A small board, and a core whose kernels are others. An input is inspected for one and exported for the other, for no
board, or for one that has portable kernels and no memory model."""
KERNELS: tuple[Kernels, Kernels] = ("reference", "cmsis-nn")
MOST_MACS = 1 << 30
"""Of networks that are executed: more would be minutes of honest work."""


def use(path: Path, folder: Path, number: int) -> tuple[int, list[str]]:
    """Use one model file in every way, each on its own: what one refuses, another may still take.

    Args:
        path: The file.
        folder: Gets what is exported.
        number: Of the input: decides for which board and kernels.

    Returns:
        In how many ways it was used, and what the others said: the messages of their errors.
    """
    board, other = BOARDS[number % 2], BOARDS[1 - number % 2]
    target = (other, None, other, "host64")[number // 4 % 4]
    plot = folder / "arena.svg" if number % 8 == 0 else None  # drawing takes longer than all the rest
    kernels, others = KERNELS[number // 2 % 2], KERNELS[1 - number // 2 % 2]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: _read_write_execute(path),
        lambda: _as_json(inspect_model(path, board, plot=plot)),
        lambda: _as_json(inspect_model(path, BOARDS[0], engine="tflm", kernels=kernels)),
        lambda: _as_json(inspect_model(path, "host64", engine="tflm", kernels=others)),
        lambda: export_model(path, folder / "project", board_name=target, prefix=f"n{number}", force=True),
        lambda: export_model(path, folder / "planned.tflite", plan_offline=True, kernels=others, force=True),
    )
    refusals = []
    for way in ways:
        try:
            way()
        except TinyNASError as error:
            refusals.append(str(error))
    return len(ways) - len(refusals), refusals


def _as_json(result: Mapping[str, Any]) -> None:
    json.dumps(result, allow_nan=False)


def _read_write_execute(path: Path) -> None:
    """The file through the reader, the writer, the passes and the reference executor, before and after the passes."""
    graph = read_tflite(path)
    network = simplified(graph)
    content = write_tflite(graph)
    try:
        read_tflite(content)
    except FormatError as error:
        raise AssertionError(f"what was read and written is refused: {error}") from error
    if count_macs(graph) > MOST_MACS:
        return
    inputs = random_input(graph, np.random.default_rng(0))
    expected, values = execute(graph, inputs), execute(network, [_as_int8(value) for value in inputs])
    for before, after in zip(graph.outputs, network.outputs, strict=True):
        value = _as_int8(expected[before])
        if not np.array_equal(value, values[after], equal_nan=value.dtype.kind == "f"):
            raise AssertionError(f"the passes change output {before}")


def _as_int8(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values at a border that the passes make int8."""
    return as_int8(values) if values.dtype == np.uint8 else values
