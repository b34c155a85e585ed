"""Which networks to measure: a small set whose layers tell the coefficients of every variant apart."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.graph import Graph
from tinynas.kernels import CATALOGUE
from tinynas.latency._probe_networks import probe_networks, thin_inputs
from tinynas.latency._random_constants import Trait, with_random_constants
from tinynas.latency._random_networks import NetworkLimits, random_network
from tinynas.latency._random_streams import random_streams
from tinynas.lowering import (
    DSP_LOWERING,
    Lowering,
    Schedule,
    Step,
    StreamError,
    layers,
    substitutes,
    suits,
    with_constants,
    with_variants,
)

CANDIDATES_PER_NETWORK = 12
"""Random networks looked at for each one measured."""

PROBES_PER_THEME = 12
"""Probes looked at for each kind of them."""

THIN_INPUTS = 96
"""Probes looked at whose input comes by rows: each has one such segment."""

OBSERVATIONS_PER_COEFFICIENT = 2
"""Measured layers for each coefficient that can be told apart: as many again as it takes to solve for them, so that
residuals say how well they fit."""

_OTHER_CONSTANTS = 1_000_000_007
"""Between the seeds of constants for the same network: one layer in a hundred draws some that do not suit it."""

_ALL_TRAITS = frozenset(Trait)

_ATTEMPTS = 64

_RIDGE = 1e-3
"""Stands for what is not measured yet; it makes the first determinants finite."""

_Array = npt.NDArray[np.float64]


def calibration_networks(
    count: int,
    *,
    fits: Callable[[Schedule], bool] = lambda schedule: True,
    limits: NetworkLimits | None = None,
    seed: int = 0,
    lowering: Lowering = DSP_LOWERING,
    observations: int = OBSERVATIONS_PER_COEFFICIENT,
) -> list[Schedule]:
    """Choose networks to fit a latency model to: `diverse_networks`, and probes of what those cover thinly.

    Probes (`_probe_networks`), and more random networks, are added, each time the one that adds most to the variants
    that are still short, until the layers of every variant have the rank that its loop counts reach in all
    candidates, and are at least `observations` times as many.

    Every network comes as the local rule of lowering executes it, and with other kernels that could take over its
    layers (`substitutes`). So kernels that only a finished network may choose are measured, and general ones on the
    layers where special ones stand before them. It comes row by row as well. The input comes by rows in probes only, in
    which the kernels do not hide what is around them.

    Args:
        count: How many random networks to choose; the number of probes follows from what they leave open.
        fits: Whether the board can hold a network.
        limits: Sizes of the layers; the defaults suit a board of 12 KB SRAM and 64 KB flash.
        seed: The same seed gives the same networks.
        lowering: How networks are lowered for the board.
        observations: Measured layers for each coefficient that can be told apart. More of them narrow the interval.

    Returns:
        Schedules of graphs with random weights and quantization, ready to be generated. Fewer where fewer fit.
    """
    bounds = limits or NetworkLimits()
    candidates = [c for c in _random_candidates(count, fits, bounds, seed, lowering) if not c.schedule.input_by_rows]
    chosen = _most_informative(candidates, count)
    probes = _fitting(probe_networks(PROBES_PER_THEME, bounds, seed), fits, seed, lowering)
    thin = _fitting(thin_inputs(THIN_INPUTS, bounds, seed), fits, seed, lowering)
    probes += [c for c in thin if c.schedule.input_by_rows]
    chosen += _missing(chosen, [*probes, *(c for c in candidates if c not in chosen)], observations)
    return [c.suited() for c in chosen]


def diverse_networks(
    count: int,
    *,
    fits: Callable[[Schedule], bool] = lambda schedule: True,
    limits: NetworkLimits | None = None,
    seed: int = 0,
    lowering: Lowering = DSP_LOWERING,
) -> list[Schedule]:
    """Choose random networks that resemble each other little, by greedy D-optimal design.

    Of many random networks that fit the board, each round takes the one that adds most to the sum over variants of
    log det(information matrix), the matrix of the relative fit with ticks taken as proportional to the sum of the
    loop counts. So layers that no chosen layer resembles come first.
    (V. Fedorov, "Theory of Optimal Experiments", 1972, chapter 2.)

    Arguments and result are those of `calibration_networks`, without its probes.
    """
    chosen = _most_informative(_random_candidates(count, fits, limits or NetworkLimits(), seed, lowering), count)
    return [c.suited() for c in chosen]


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A schedule with constants, on which loop counts may depend, and their seed."""

    schedule: Schedule
    seed: int

    def suited(self) -> Schedule:
        """The same with constants that suit its kernels, others than now where these do not.

        Raises:
            ValueError: There are none, whatever the seed.
        """
        for attempt in range(_ATTEMPTS):
            seed = self.seed + attempt * _OTHER_CONSTANTS
            constants = with_random_constants(self.schedule.graph, seed, _traits_of(self.schedule))
            filled = with_constants(self.schedule, constants)
            if suits(filled):
                return filled
        raise ValueError(f"no constants were found that suit the kernels of {self.schedule.graph.name!r}")


def _random_candidates(
    count: int, fits: Callable[[Schedule], bool], limits: NetworkLimits, seed: int, lowering: Lowering
) -> list[_Candidate]:
    first = seed * 1_000_003
    graphs = [random_network(first + i, limits) for i in range(count * CANDIDATES_PER_NETWORK)]
    return _fitting(graphs, fits, first, lowering)


def _fitting(
    graphs: list[Graph], fits: Callable[[Schedule], bool], first_seed: int, lowering: Lowering
) -> list[_Candidate]:
    found = []
    for seed, graph in enumerate(graphs, first_seed):
        schedule = lowering(graph)
        schedules = (schedule, *_substituted(schedule, seed), *_streamed(lowering, schedule, seed))
        constants = {t: with_random_constants(graph, seed, t) for t in set(map(_traits_of, schedules))}
        found += [_Candidate(with_constants(s, constants[_traits_of(s)]), seed) for s in schedules]
    return [c for c in found if fits(c.schedule)]


def _traits_of(schedule: Schedule) -> frozenset[Trait]:
    """What constants of a schedule may show: all that its kernels execute."""
    selective = any(CATALOGUE[variant].suits is not None for variant in schedule.variants)
    return _ALL_TRAITS - {Trait.GENERAL} if selective else _ALL_TRAITS


def _substituted(schedule: Schedule, seed: int) -> Iterator[Schedule]:
    """The schedule with other kernels, where there are any: those for speed, and any, all equally likely."""
    rng = np.random.default_rng(seed)
    possible = {layer: substitutes(schedule, layer)[1:] for layer in layers(schedule)}
    for for_speed in (True, False):
        variants: dict[int, str] = {}
        for layer, instead in possible.items():
            others = [v.name for v in instead if v.for_speed or not for_speed]
            if others:
                variants |= dict.fromkeys(layer, others[int(rng.integers(len(others)))])
        if variants:
            yield with_variants(schedule, variants)


def _streamed(lowering: Lowering, schedule: Schedule, seed: int) -> Iterator[Schedule]:
    """The same network with all of its parts row by row that can run so, its input held and by rows."""
    for pushed in (False, True):
        streams = random_streams(schedule, seed, pushed=pushed)
        if streams:
            try:
                yield lowering(schedule.graph, streams=streams)
            except StreamError:  # windows that see nothing but padding
                continue


def _most_informative(candidates: list[_Candidate], count: int) -> list[_Candidate]:
    names = _feature_names([c.schedule for c in candidates])
    information = _Information(names)
    gains = [_Gain(_rows(c.schedule, names)) for c in candidates]
    chosen: list[_Candidate] = []
    left = list(range(len(candidates)))
    while left and len(chosen) < count:
        best = max(left, key=lambda i: (gains[i].of(information), -i))
        information.add(gains[best].rows)
        left.remove(best)
        chosen.append(candidates[best])
    return chosen


def _missing(chosen: list[_Candidate], candidates: list[_Candidate], observations: int) -> list[_Candidate]:
    """Those of `candidates` that bring every variant to the rank and the number of layers that it should have.

    What rank a variant can reach is seen in all of them together.
    """
    names = _feature_names([c.schedule for c in (*chosen, *candidates)])
    everything = _stacked([_rows(c.schedule, names) for c in (*chosen, *candidates)])
    # Loops that are a small part of all calls count as much as the others: every one is a coefficient to be known.
    scale = {variant: np.linalg.norm(rows, axis=0) / np.sqrt(len(rows)) for variant, rows in everything.items()}

    def scaled(schedule: Schedule) -> dict[str, _Array]:
        return {v: rows / np.where(scale[v] > 0, scale[v], 1.0) for v, rows in _rows(schedule, names).items()}

    reachable = {v: _rank(rows / np.where(scale[v] > 0, scale[v], 1.0)) for v, rows in everything.items()}
    known = _stacked([scaled(c.schedule) for c in chosen])
    information = _Information(names)
    information.add(known)

    def short(variant: str) -> bool:
        rows = known.get(variant, np.zeros((0, len(names[variant]))))
        wanted = observations * reachable[variant]
        return len(rows) < wanted or _rank(rows) < reachable[variant]

    added: list[_Candidate] = []
    left = [(c, _Gain(scaled(c.schedule))) for c in candidates]
    wanting = set(filter(short, names))  # more rows never make a variant short again
    while left:
        gains = [gain.of(information, wanting) for _, gain in left]
        best = int(np.argmax(gains))
        if not gains[best] > 0:
            break
        candidate, gain = left.pop(best)
        added.append(candidate)
        known = _stacked([known, gain.rows])
        information.add(gain.rows)
        wanting = {v for v in wanting if v not in gain.rows or short(v)}
    return added


def _observed(schedule: Schedule) -> Iterator[Step]:
    """What a measurement says something of: the steps, and the kernels that come in streamed segments alone."""
    yield from schedule.steps
    yield from (part for part in schedule.streamed_parts if CATALOGUE[part.variant].keeps_sums)


def _feature_names(schedules: list[Schedule]) -> dict[str, list[str]]:
    names: dict[str, dict[str, None]] = {}
    for schedule in schedules:
        for step in _observed(schedule):
            names.setdefault(step.variant, {}).update(dict.fromkeys(step.features))
    return {variant: list(features) for variant, features in names.items()}


def _rows(schedule: Schedule, names: dict[str, list[str]]) -> dict[str, _Array]:
    """Per variant, the relative features of its layers. Shape [layers, features]."""
    rows: dict[str, list[list[float]]] = {}
    for step in _observed(schedule):
        features = [step.features.get(name, 0.0) for name in names[step.variant]]
        rows.setdefault(step.variant, []).append([value / sum(features) for value in features])
    return {variant: np.array(values) for variant, values in rows.items()}


def _stacked(parts: list[dict[str, _Array]]) -> dict[str, _Array]:
    """The rows of several networks, per variant."""
    variants = dict.fromkeys(variant for part in parts for variant in part)
    return {v: np.vstack([part[v] for part in parts if v in part]) for v in variants}


def _rank(rows: _Array) -> int:
    """Directions that the rows tell apart by more than rounding. 0 for no rows."""
    return int(np.linalg.matrix_rank(rows, tol=1e-6)) if rows.size else 0


class _Information:
    """Per variant, the information matrix of the layers that were chosen, and its log determinant.

    Args:
        names: Per variant, of its loop counts.
    """

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.matrices: dict[str, _Array] = {v: _RIDGE * np.eye(len(features)) for v, features in names.items()}
        self.log_determinants = {v: _log_determinant(matrix) for v, matrix in self.matrices.items()}

    def add(self, rows: Mapping[str, _Array]) -> None:
        """Have some layers be chosen as well."""
        for variant, more in rows.items():
            self.matrices[variant] = self.matrices[variant] + more.T @ more
            self.log_determinants[variant] = _log_determinant(self.matrices[variant])


class _Gain:
    """How much the layers of a network raise log determinants: found anew for variants whose matrix has changed.

    Args:
        rows: Per variant, of its layers.
    """

    def __init__(self, rows: Mapping[str, _Array]) -> None:
        self.rows = dict(rows)
        self._known: dict[str, tuple[_Array, float]] = {}

    def of(self, information: _Information, variants: Container[str] | None = None) -> float:
        """The sum over all variants, or those given."""
        return sum(self._of(information, v) for v in self.rows if variants is None or v in variants)

    def _of(self, information: _Information, variant: str) -> float:
        matrix, rows = information.matrices[variant], self.rows[variant]
        known = self._known.get(variant)
        if known is not None and known[0] is matrix:
            return known[1]
        gain = _log_determinant(matrix + rows.T @ rows) - information.log_determinants[variant]
        self._known[variant] = matrix, gain
        return gain


def _log_determinant(matrix: _Array) -> float:
    return float(np.linalg.slogdet(matrix)[1])
