"""What a run trains, and how much of it at the same time: what numbers of steps cost."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.pipeline.run import RunConfig, candidate_training, steps_of
from tinynas.pipeline.run.stages._search import RANDOM
from tinynas.spaces import HAND_MADE

# Of the processors' time where networks are trained side by side: processes wait for the last of a rung.
_BUSY = 0.85


@dataclass(frozen=True)
class Work:
    """Trainings of one kind.

    Attributes:
        steps: which of the configuration's numbers is theirs.
        networks: how many of so many steps; a share of one is a shorter one.
        at_once: how many go on at the same time, each in one process; 1: one after another, each in all processes.
    """

    steps: str
    networks: float
    at_once: int = 1

    def seconds(self, seconds_each: float, processes: int) -> float:
        """Of the clock on the wall, where each network takes so many seconds."""
        side_by_side = min(processes, self.at_once)
        return self.networks * seconds_each / (side_by_side * _BUSY if side_by_side > 1 else 1)


def works_of(config: RunConfig) -> list[Work]:
    """Everything that a run trains, but for evaluators of plugins and what a search overspends in its last bracket."""
    works: list[Work] = []
    names = steps_of(config)
    contenders = (1 + len(config.baselines.train)) * config.baselines.seeds
    if "supernet" in names:
        works.append(Work("supernet", 1))
    if "evaluation" in names:
        works += _evaluations(config)
    if "ruler" in names:
        trainings = config.ruler.networks * config.ruler.seeds
        works.append(Work("ruler", trainings, trainings))
    if "finetune" in names:
        works.append(Work("finetune", contenders))
    if "quantization" in names:
        works.append(Work("quantization", contenders))
    return works


def _evaluations(config: RunConfig) -> list[Work]:
    """Trainings by the evaluator, in full ones."""
    search, baselines, ruler = config.search, config.baselines, config.ruler
    trained = candidate_training(search)
    assert trained is not None  # or there would be no number of steps
    seeds, fidelities = trained.options.seeds, trained.options.fidelities
    if trained.samples is not None:
        return [Work("evaluation", trained.samples * trained.fidelity * seeds, trained.samples * seeds)]
    searches = 2 if baselines.random_search and search.strategy != RANDOM else 1
    works = [Work("evaluation", searches * search.evaluations * seeds, searches * search.window * seeds)]
    if ruler.networks:  # which asks the evaluator as well
        works.append(Work("evaluation", ruler.networks * fidelities[0] * seeds, ruler.networks * seeds))
    if "macs" in baselines.train and len(fidelities) > 1:  # in full, though the search may not have done that
        works.append(Work("evaluation", seeds, seeds))
    if config.finetune.weights == "evaluation":  # what the search did not train
        from_outside = sum(name in HAND_MADE for name in baselines.train)
        left = from_outside + (1 + len(baselines.train)) * (baselines.seeds - 1)
        works.append(Work("evaluation", left, left))
    return works
