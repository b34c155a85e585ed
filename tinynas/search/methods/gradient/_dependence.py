"""How any fact about a network depends on the variables of its space, found by changing one variable at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from tinynas import training
from tinynas.spaces import INACTIVE, Genotype, Variable, activity

if TYPE_CHECKING:
    from tinynas.training import Mixture

Fact = TypeVar("Fact", bound=Hashable)

Decided = tuple[tuple[int, int], ...]
"""Variables that are decided, by position, each with the position of its value; sorted. All others have their last."""


class Dependence:
    """Facts about networks as mixtures over the values of independent variables.

    From the largest network, every variable is changed to each of its values. Where that changes the fact, the fact
    depends on the variable, and under each value of it the question is asked anew, until nothing changes it any more.
    What this misses (variables that matter together, but none of them alone) would be a space that cannot be relaxed:
    whoever asks compares with whole networks.

    Args:
        variables: of the space.
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._variables = tuple(variables)
        self.sizes = tuple(len(variable.values) for variable in variables)
        self._awake = activity(self._variables, [variable.values[-1] for variable in variables])
        self._genotypes: dict[Decided, Genotype] = {}

    def position(self, variable: int, value: int) -> int:
        """Where a value of a variable, both by position, is in the vector of all values."""
        return sum(self.sizes[:variable]) + value

    def genotype(self, decided: Decided = ()) -> Genotype:
        """The largest network but for what is decided; variables that this puts to sleep are not active."""
        if decided not in self._genotypes:
            wanted = [variable.values[-1] for variable in self._variables]
            for position, value in decided:
                wanted[position] = self._variables[position].values[value]
            awake = activity(self._variables, wanted)
            self._genotypes[decided] = tuple(v if here else INACTIVE for v, here in zip(wanted, awake, strict=True))
        return self._genotypes[decided]

    def smallest_with(self, position: int, value: int) -> Genotype:
        """The network of first values that has a value of one variable, with what that variable needs to be active."""
        wanted = [variable.values[0] for variable in self._variables]
        wanted[position] = self._variables[position].values[value]
        needed = list(self._variables[position].requires)
        while needed:
            condition = needed.pop()
            if wanted[condition.position] not in condition.values:
                wanted[condition.position] = condition.values[0]
            needed += self._variables[condition.position].requires
        awake = activity(self._variables, wanted)
        return tuple(v if here else INACTIVE for v, here in zip(wanted, awake, strict=True))

    def influences(self, fact: Callable[[Genotype], Fact]) -> list[int]:
        """The variables, by position, that change a fact about the largest network if they alone are changed."""
        here = fact(self.genotype())
        return [
            position
            for position in self._open(())
            if any(fact(self.genotype(decided)) != here for decided in self._decisions((), position))
        ]

    def mixture(
        self, fact: Callable[[Genotype], Fact | None], among: Collection[int] | None = None
    ) -> Mixture[Fact] | None:
        """The distribution of a fact, given that it exists; None where it is the same in every network that has it.

        Args:
            fact: of a network; None where the network has nothing that the fact is about. The largest has it.
            among: variables, by position, on which it can depend; none: any.
        """
        terms: dict[Fact, list[tuple[int, ...]]] = {}
        for value, term in self._terms(fact, among, (), with_missing=False):
            terms.setdefault(value, []).append(term)
        if len(terms) <= 1:
            return None
        return training.Mixture(tuple(terms), tuple(map(tuple, terms.values())))

    def terms(self, fact: Callable[[Genotype], Fact | None]) -> list[tuple[Fact, tuple[int, ...]]]:
        """Everything that a fact may be where it exists, each with the positions of the values that lead to it."""
        return list(self._terms(fact, self.influences(fact), (), with_missing=True))

    def _open(self, decided: Decided) -> list[int]:
        """The variables that are active and not decided."""
        taken = {position for position, _ in decided}
        awake = activity(self._variables, self.genotype(decided))
        return [position for position, here in enumerate(awake) if here and position not in taken]

    def _decisions(self, decided: Decided, position: int) -> list[Decided]:
        """`decided` with each value of one more variable."""
        return [tuple(sorted((*decided, (position, value)))) for value in range(self.sizes[position])]

    def _terms(
        self,
        fact: Callable[[Genotype], Fact | None],
        among: Collection[int] | None,
        decided: Decided,
        *,
        with_missing: bool,
    ) -> Iterator[tuple[Fact, tuple[int, ...]]]:
        here = fact(self.genotype(decided))
        for position in self._open(decided):
            if among is not None and position not in among and self._awake[position]:
                continue
            further = self._decisions(decided, position)
            facts = [fact(self.genotype(each)) for each in further]
            if any(f != here and (with_missing or f is not None) for f in facts):
                for each, f in zip(further, facts, strict=True):
                    if with_missing or f is not None:
                        yield from self._terms(fact, among, each, with_missing=with_missing)
                return
        if here is not None:
            yield here, tuple(self.position(*decision) for decision in decided)
