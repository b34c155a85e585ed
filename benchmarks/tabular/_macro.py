"""NAS-Bench-Macro (Su et al. 2021, "Prioritized Architecture Sampling with Monto-Carlo Tree Search")."""

from __future__ import annotations

import json
from pathlib import Path

from tabular._table import NasTable, TableOnlySpace, quantile_of_macs
from tinynas.spaces import Variable

_SEEDS = 3


def nas_bench_macro(path: Path) -> NasTable:
    """3^8 = 6561 networks for CIFAR-10 of eight layers, trained three times each; MACs up to the median.

    Layers are each nothing, an inverted bottleneck of expansion 3 and kernel 3, or one of expansion 6 and kernel 5.

    Args:
        path: `nas-bench-macro_cifar10.json` as its authors publish it.
    """
    rows = {tuple(map(int, name)): row for name, row in json.loads(path.read_text()).items()}
    labels = ("identity", "expansion 3, kernel 3", "expansion 6, kernel 5")
    layers = tuple(Variable(f"layer{i}", (0, 1, 2), ordinal=False, labels=labels) for i in range(1, 9))
    costs = {g: {"macs": float(row["flops"]), "params": float(row["params"])} for g, row in rows.items()}
    return NasTable(
        TableOnlySpace("nas-bench-macro", layers),
        {1.0: {g: float(row["mean_acc"]) for g, row in rows.items()}},
        {1.0: {g: float(row["std"]) / _SEEDS**0.5 for g, row in rows.items()}},
        costs,
        limit=quantile_of_macs(costs),
        shares=(0.01, 0.001),
    )
