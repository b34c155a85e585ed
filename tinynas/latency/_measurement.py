"""What a board reports: the ticks of one kernel call, and of one whole inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tinynas.errors import UsageError
from tinynas.lowering import Schedule

Unit = Literal["instructions", "cycles"]


class LatencyError(UsageError):
    """Measurements or a latency model that cannot be used as asked."""


@dataclass(frozen=True)
class Measurement:
    """One kernel call: the variant, the loop counts that explain it (`Step.features`), and what it took, in ticks.

    A streamed segment is measured with the kernels that it calls: `within` has their variants and loop counts.
    """

    variant: str
    features: Mapping[str, float]
    value: float
    within: tuple[tuple[str, Mapping[str, float]], ...] = ()

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise LatencyError(
                f"a measurement of {self.variant} is {self.value}: a kernel call takes at least one tick"
            )


@dataclass(frozen=True)
class InferenceMeasurement:
    """One inference without profiling code: the number of steps, the sum of the profiled steps, and the whole."""

    steps: int
    profiled: float
    value: float


def measurements_of(schedule: Schedule, ticks: Sequence[float]) -> list[Measurement]:
    """Pair the steps of a schedule with the ticks the board profiled for them, in order.

    Raises:
        LatencyError: The profile has another number of steps than the schedule.
    """
    if len(ticks) != len(schedule.steps):
        raise LatencyError(
            f"the profile has {len(ticks)} steps, the schedule {len(schedule.steps)}: "
            "the firmware on the board was built from another network"
        )
    return [
        Measurement(s.variant, dict(s.features), float(t), tuple((p.variant, dict(p.features)) for p in s.parts[:-1]))
        for s, t in zip(schedule.steps, ticks, strict=True)
    ]
