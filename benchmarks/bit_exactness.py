"""Every tensor of every model against LiteRT's reference kernels, and every output against TFLM.

    python benchmarks/bit_exactness.py MODEL.tflite ... [--random 50] [--inputs 10]

A model from a file is read and written once: the copy, whose tensor indices are the graph's, goes to LiteRT in every
tensor; the original goes to TFLM. So the reader and the writer are part of the claim. FULLY_CONNECTED and MUL differ
between the two runtimes by one unit now and then (`tinynas.graph.Runtime`); each is held against its own arithmetic.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import Graph, Runtime, execute
from tinynas.testing import random_input, random_int8_graph, run_litert, run_tflm


def main() -> None:
    """Print the table; exit 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--random", type=int, default=50)
    parser.add_argument("--inputs", type=int, default=10)
    arguments = parser.parse_args()

    table = Table(title="differing elements")
    for column in ("model", "operators", "tensors", "vs LiteRT", "vs TFLM"):
        table.add_column(column, justify="left" if column == "model" else "right")
    wrong = 0
    cases = [(path.stem, path.read_bytes()) for path in arguments.models]
    for seed in range(arguments.random):
        graph = random_int8_graph(np.random.default_rng(seed))
        cases.append((f"random {seed}", write_tflite(graph)))
    for name, content in cases:
        graph = read_tflite(content)
        litert, tflm, tensors = compare(graph, content, arguments.inputs)
        wrong += bool(litert) + bool(tflm)
        table.add_row(name, str(len(graph.ops)), str(tensors), str(litert), str(tflm))
    Console(width=100).print(table)
    print(f"{len(cases)} models, {arguments.inputs} inputs each: {wrong} comparisons with a difference")
    raise SystemExit(1 if wrong else 0)


def _with_valid_axes(graph: Graph) -> Graph:
    """LiteRT refuses a quantized dimension beyond the rank (biases of person_detect); TFLM ignores it."""
    tensors = tuple(
        replace(t, quantization=replace(t.quantization, axis=0))
        if t.quantization is not None and t.quantization.axis >= len(t.shape)
        else t
        for t in graph.tensors
    )
    return replace(graph, tensors=tensors)


def compare(graph: Graph, content: bytes, inputs: int) -> tuple[int, int, int]:
    """Differing elements against LiteRT (all tensors) and TFLM (outputs), and how many tensors were compared."""
    rng = np.random.default_rng(0)
    rewritten = write_tflite(_with_valid_axes(graph))
    litert = tflm = tensors = 0
    for _ in range(inputs):
        feed = random_input(graph, rng)
        ours = execute(graph, feed, keep_all=True)
        reference = run_litert(rewritten, feed)
        compared = [t for t in ours if t in reference and not graph.tensor(t).constant]
        tensors = len(compared)
        litert += sum(int((ours[t] != reference[t]).sum()) for t in compared)
        as_tflm = execute(graph, feed, runtime=Runtime.TFLM)
        for t, expected in zip(graph.outputs, run_tflm(content, feed), strict=True):
            tflm += int((as_tflm[t] != expected).sum())
    return litert, tflm, tensors


if __name__ == "__main__":
    main()
