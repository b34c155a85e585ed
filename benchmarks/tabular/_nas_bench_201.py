"""NAS-Bench-201 (Dong and Yang 2020, "NAS-Bench-201: Extending the Scope of Reproducible NAS")."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tabular._table import NasTable, TableOnlySpace, quantile_of_macs
from tinynas.spaces import Variable

OPERATIONS = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")
"""What an edge of a cell may be, from the smallest to the largest."""

DATASETS_201 = ("cifar10", "cifar100", "imagenet16-120")


def nas_bench_201(path: Path, dataset: str = DATASETS_201[0]) -> NasTable:
    """5^6 = 15,625 cells of four nodes and six edges, trained two or three times each; MACs up to the median.

    Scores are validation accuracies after 200 epochs. Cells that compute the same were trained apart and are networks
    of their own here.

    Args:
        path: what `tools/convert_nas_bench_201.py` wrote.
        dataset: a name of `DATASETS_201`.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        names = arrays["operations"].tolist()
        cells = [tuple(OPERATIONS.index(names[edge]) for edge in cell) for cell in arrays["cells"].tolist()]
        accuracies = arrays[f"{dataset}_accuracies"].astype(np.float64)  # [cells, seeds], not a number: not trained
        macs, params = (arrays[f"{dataset}_{cost}"].tolist() for cost in ("macs", "params"))
    trained = np.isfinite(accuracies).sum(axis=1)
    means = np.nanmean(accuracies, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):  # one training says nothing of its deviation
        errors = np.sqrt(np.nansum((accuracies - means[:, None]) ** 2, axis=1) / (trained * (trained - 1)))
    edges = tuple(
        Variable(f"edge{a}-{b}", tuple(range(len(OPERATIONS))), ordinal=False, labels=OPERATIONS)
        for a, b in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    )
    costs = {
        cell: {"macs": float(count), "params": float(weights)}
        for cell, count, weights in zip(cells, macs, params, strict=True)
    }
    return NasTable(
        TableOnlySpace(f"nas-bench-201-{dataset}", edges),
        {1.0: dict(zip(cells, means.tolist(), strict=True))},
        {1.0: {cell: error for cell, error in zip(cells, errors.tolist(), strict=True) if np.isfinite(error)}},
        costs,
        limit=quantile_of_macs(costs),
        shares=(0.01, 0.001),
    )
