"""Tables of made-up networks: one to search, and one whose networks take milliseconds to train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tabular import NasTable, TableOnlySpace, quantile_of_macs

from tinynas.spaces import Architecture, Block, Genotype, Variable, VariableSpace, block_kind

FIDELITIES = (0.125, 0.25, 0.5, 1.0)


def made_up_table(noise: float = 0.3) -> NasTable:
    """243 networks whose accuracy falls with the distance from one of them; short trainings see that through noise.

    Args:
        noise: in points, of the shortest training; a longest one has none.
    """
    variables = tuple(Variable(f"layer{i}", (0, 1, 2), ordinal=False) for i in range(5))
    space = TableOnlySpace("made-up", variables)
    rng = np.random.default_rng(7)
    weights = rng.uniform(0.5, 1.5, (5, 3))
    weights[range(5), (1, 2, 0, 1, 2)] = 2.0
    genotypes = list(space.enumerate())
    truth = {g: 80 + float(sum(weights[i, value] for i, value in enumerate(g))) for g in genotypes}
    scores = {
        fidelity: {g: truth[g] - 5 * (1 - fidelity) + noise * (1 - fidelity) * rng.standard_normal() for g in genotypes}
        for fidelity in FIDELITIES
    }
    costs = {g: {"macs": 100.0 + 10 * sum(g) + i / 1000, "params": 1.0} for i, g in enumerate(genotypes)}
    deviations: dict[float, dict[Genotype, float]] = {fidelity: {} for fidelity in FIDELITIES}
    return NasTable(space, scores, deviations, costs, limit=quantile_of_macs(costs), shares=(0.05,))


@dataclass(frozen=True)
class Training:
    """A training of a network of the table."""

    held_out: int
    test: int
    seconds: float


@dataclass(frozen=True)
class Network:
    """A row of the table."""

    genotype: Genotype
    costs: dict[str, int]
    trained: dict[tuple[int, int], Training]


class TinySpace(VariableSpace):
    """One stage for images of 8 pixels: its kind, its channels, its depth; 18 networks."""

    kinds = ("depthwise_separable", "conv")

    def __init__(self) -> None:
        super().__init__(
            "tiny",
            (
                Variable("kind", (0, 1), ordinal=False, labels=self.kinds),
                Variable("width", (4, 8, 12)),
                Variable("depth", (1, 2, 3)),
            ),
            resolutions=(8,),
        )

    def decode(
        self, genotype: Genotype, width: float, resolution: int, input_channels: int = 1, classes: int = 4
    ) -> Architecture:
        self.check(genotype)
        kind, channels, depth = genotype
        shape = (1, resolution, resolution, input_channels)
        blocks: list[Block] = []

        def append(name: str, kind: str, settings: dict[str, int]) -> None:
            blocks.append(block_kind(kind).block(name, blocks[-1].output_shape if blocks else shape, settings))

        append("stem", "conv", {"out_channels": 4, "stride": 2, "kernel": 3})
        for i in range(depth):
            append(f"block{i}", self.kinds[kind], {"out_channels": channels, "stride": 1, "kernel": 3})
        append("head", "classifier", {"classes": classes})
        return Architecture(tuple(blocks), shape, self.name)


def tiny_rows() -> list[Network]:
    """All networks of `TinySpace`, trained for 10 and 40 steps with two seeds: wider and deeper ones are better."""
    rng = np.random.default_rng(3)
    rows = []
    for i, genotype in enumerate(TinySpace().enumerate()):
        right = {(seed, steps): 600 + steps + 10 * i + int(rng.integers(8)) for seed in (0, 1) for steps in (10, 40)}
        trained = {key: Training(value, 2 * value + key[0], key[1] / 100) for key, value in right.items()}
        rows.append(Network(genotype, {"macs": 1000 + 7 * i, "params": 10 + i}, trained))
    return rows
