"""What strategies are tried on: a space of 10^8 networks, and stand-ins for their costs and their accuracy."""

from __future__ import annotations

import math

from tinynas.search import Trial
from tinynas.spaces import Genotype

STRATEGY_SPACE = """
name = "strategy-contract"
description = "three elastic stages: 10^8 networks"
width_multipliers = [1.0]
resolutions = [28]
[stem]
width = 8
[[stages]]
width = 16
depth = [1, 2, 3]
choices = { kernel = [3, 5, 7], expansion = [3, 4, 6] }
[[stages]]
width = 24
stride = 2
depth = [1, 2, 3]
choices = { kernel = [3, 5, 7], expansion = [3, 4, 6] }
[[stages]]
width = 40
stride = 2
depth = [1, 2, 3]
choices = { kernel = [3, 5], expansion = [3, 4, 6] }
"""


def active_genes(genotype: Genotype) -> int:
    """A stand-in for a cost: grows with every gene."""
    return sum(genotype)


def landscape(genotype: Genotype) -> float:
    """A stand-in for accuracy with diminishing returns per gene, so that a balanced network is best."""
    return sum(math.sqrt(value) * (1 + 0.1 * (i % 7)) for i, value in enumerate(genotype))


def trial_score(trial: Trial) -> float:
    """What a trial scores: a short training sees the same landscape, less of it, and through a little noise."""
    noise = math.sin(1000.0 * landscape(trial.genotype)) * (1 - trial.fidelity)
    return landscape(trial.genotype) * trial.fidelity + noise
