"""Probe networks with layers of one kernel."""

from __future__ import annotations

from regenerate_latency_model import FIT_LIMITS

from tinynas.latency import probe_networks, with_random_constants
from tinynas.lowering import Lowering, Schedule

PROBES = 3
"""Networks of each kernel, of some dozen layers with it each: the last one is what the fit is checked with."""


def probes_with(kernel: str, lowering: Lowering) -> list[Schedule]:
    """Networks with layers of a kernel.

    Raises:
        ValueError: No probe network has such a layer.
    """
    found = []
    for graph in probe_networks(PROBES, FIT_LIMITS, seed=5):
        schedule = lowering(with_random_constants(graph, seed=len(found)))
        if kernel in {step.variant for step in schedule.steps}:
            found.append(schedule)
    if len(found) < PROBES:
        raise ValueError(f"{len(found)} probe networks have a layer of {kernel}, {PROBES} are needed")
    return found
