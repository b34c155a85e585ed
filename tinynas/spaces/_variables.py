"""The variables of a search space: what a genotype is made of, and when each part of it means something.

A genotype has one integer per variable. Some variables exist only under certain values of earlier ones: the kernel of
a block only where the stage is that deep. Where a variable is not active its value is `INACTIVE`. That is the canonical
form: two genotypes are equal exactly when their networks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinynas.spaces._errors import SpaceError

Genotype = tuple[int, ...]
"""One integer per variable of the space, canonical and hashable."""

INACTIVE = 0
"""The value of every variable that is not active. It may also be a value of active ones: activity decides."""


class Condition(NamedTuple):
    """An earlier variable, by its position, and the values of it under which a later one is active."""

    position: int
    values: tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """One choice of a search space.

    Attributes:
        name: unique within the space, such as `stage1.block2.kernel`.
        values: the integers to choose from. Those of an ordinal variable ascend; those of a categorical one begin with
            what the smallest network has, and go on towards larger networks as far as that means anything.
        ordinal: whether differences between values mean something (kernels of 3 and 5 are nearer than 3 and 7); else
            the variable is categorical.
        requires: conditions on earlier variables, all of which must hold, those variables being active, for this one to
            be active; none: it always is.
        labels: what the values are called, one for each; none: they speak for themselves.
    """

    name: str
    values: tuple[int, ...]
    ordinal: bool = True
    requires: tuple[Condition, ...] = ()
    labels: tuple[str, ...] = ()

    def label(self, value: int) -> int | str:
        """What a value is called: its label, or itself where there are none."""
        return self.labels[self.values.index(value)] if self.labels else value


def active(variables: Sequence[Variable], genotype: Sequence[int], position: int) -> bool:
    """Whether the variable at `position` is active in `genotype`: its conditions hold, and those of their variables."""
    return all(
        genotype[parent] in values and active(variables, genotype, parent)
        for parent, values in variables[position].requires
    )


def activity(variables: Sequence[Variable], genotype: Sequence[int]) -> list[bool]:
    """Whether each variable is active in `genotype`; values of inactive ones are not looked at."""
    awake: list[bool] = []
    here = True
    conditions: tuple[Condition, ...] = ()
    for variable in variables:
        if variable.requires is not conditions:  # variables of one block share theirs: this runs for every draw
            conditions = variable.requires
            here = True
            for parent, values in conditions:
                if not awake[parent] or genotype[parent] not in values:
                    here = False
                    break
        awake.append(here)
    return awake


def check_variables(variables: Sequence[Variable]) -> None:
    """Check that variables make a space.

    Raises:
        SpaceError: they do not; the message names the variable.
    """
    names: set[str] = set()
    for position, variable in enumerate(variables):
        fault = _fault(variable, variables[:position])
        if variable.name in names:
            fault = "stands twice"
        names.add(variable.name)
        if fault is not None:
            raise SpaceError(f"variable {variable.name!r} {fault}")


def _fault(variable: Variable, earlier: Sequence[Variable]) -> str | None:
    values = variable.values
    if not values or len(set(values)) != len(values):
        return f"needs values, each once, got {list(values)}"
    if variable.ordinal and list(values) != sorted(values):
        return f"is ordinal, so its values ascend, got {list(values)}"
    if variable.labels and len(set(variable.labels)) != len(values):
        return f"has {len(values)} values and the labels {list(variable.labels)}"
    for condition in variable.requires:
        if not 0 <= condition.position < len(earlier):
            return f"may only depend on earlier variables, not on position {condition.position}"
        if not set(condition.values) <= set(earlier[condition.position].values):
            return f"waits for values that {earlier[condition.position].name!r} does not have: {condition.values}"
    return None


def count_genotypes(variables: Sequence[Variable]) -> int:
    """The exact number of canonical genotypes, without listing them.

    Positions are added one by one. What is kept of the assignments so far is only how many share the values of those
    variables that later conditions still ask for (`None`: not active). In a chain that is one depth at a time, so the
    count takes as many steps as there are variables.
    """
    last_use = {
        condition.position: position for position, variable in enumerate(variables) for condition in variable.requires
    }
    counts: dict[tuple[tuple[int, int | None], ...], int] = {(): 1}
    for position, variable in enumerate(variables):
        extended: dict[tuple[tuple[int, int | None], ...], int] = {}
        for state, count in counts.items():
            known = dict(state)
            awake = all(known[parent] in values for parent, values in variable.requires)
            kept = tuple((parent, value) for parent, value in state if last_use[parent] > position)
            if position in last_use:
                choices: tuple[int | None, ...] = variable.values if awake else (None,)
                for value in choices:
                    key = (*kept, (position, value))
                    extended[key] = extended.get(key, 0) + count
            else:
                extended[kept] = extended.get(kept, 0) + count * (len(variable.values) if awake else 1)
        counts = extended
    return sum(counts.values())
