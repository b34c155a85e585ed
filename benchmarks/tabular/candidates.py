"""The evaluators that are compared on the own table."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from nas_table.table import Row

from tabular.trainings import first_seed, longest
from tinynas.errors import UsageError
from tinynas.evaluation import EvaluationTask, Evaluator, build_evaluator
from tinynas.evaluation.evaluators.zero_cost import PROXIES
from tinynas.graph import Graph
from tinynas.spaces import Genotype
from tinynas.training import Supernet, TrainingSettings, train_supernet

_PREDICTORS = {"predictor-ridge": "ridge", "predictor-trees": "trees", "predictor-mlp": "mlp"}
_SHORT_PREDICTOR = "predictor-short"
_STAND_INS = {
    "training-subset": {"data_share": 0.25},
    "training-small-images": {"resolution_scale": 0.5},
    "training-narrow": {"width_scale": 0.5},
}
_STAND_IN_SHARE = 0.25
_RECIPE = {"batch_size": 128, "learning_rate": 0.2}  # as in the table
_SUPERNET = "supernet"
_LOG_EVERY_S = 30.0

NAMES = ("macs", "parameters", *PROXIES, *_STAND_INS, _SUPERNET, *_PREDICTORS, _SHORT_PREDICTOR)
"""Every evaluator that is compared.

Those that begin with `training-` take a quarter of the steps of a longest training, and a quarter of the images, half
of the pixels on a side or half of the channels; `predictor-short` is ridge regression on the shortest trainings.
"""


@dataclass(frozen=True)
class Candidate:
    """An evaluator that is compared.

    Attributes:
        name: in the output.
        evaluator: answers about any network of the table.
        seconds_once: of the processor, spent before it can answer.
    """

    name: str
    evaluator: Evaluator
    seconds_once: float = 0.0


@dataclass(frozen=True)
class Candidates:
    """Builds the evaluators.

    Attributes:
        task: the space and the images of the table.
        rows: every network.
        asked: the genotypes that evaluators are asked about; predictors learn from others.
        samples: trainings that a predictor learns from.
        supernet_steps: of the supernet's training.
        folder: where the supernet, its checkpoint and what predictors learn from are kept.
    """

    task: EvaluationTask
    rows: Sequence[Row]
    asked: frozenset[Genotype]
    samples: int
    supernet_steps: int
    folder: Path

    def checked(self, names: Sequence[str] | None) -> tuple[str, ...]:
        """The names, by default all.

        Raises:
            UsageError: one is of no evaluator, or there is too little for predictors to learn from.
        """
        chosen = NAMES if names is None else tuple(names)
        if unknown := [name for name in chosen if name not in NAMES]:
            raise UsageError(f"unknown evaluator {unknown[0]!r}; one of {', '.join(NAMES)}")
        others = len(self.rows) - len(self.asked)
        if others < self.samples and any(name in _PREDICTORS or name == _SHORT_PREDICTOR for name in chosen):
            raise UsageError(
                f"predictors learn from {self.samples} networks that nobody is asked about, and there are {others}: "
                "give fewer --networks or --samples, or name --evaluators without them"
            )
        return chosen

    def build(self, name: str) -> Candidate:
        """The evaluator of that name, one of `NAMES`; the supernet is trained first, where it is not yet."""
        if name == _SUPERNET:
            return self._supernet()
        if name in _PREDICTORS:
            return self._predictor(name, _PREDICTORS[name], longest(self.rows))
        if name == _SHORT_PREDICTOR:
            return self._predictor(name, "ridge", min(steps for _, steps in self.rows[0].trained))
        if name in _STAND_INS:
            steps = round(_STAND_IN_SHARE * longest(self.rows))
            options = {**_RECIPE, "steps": steps, **_STAND_INS[name]}
            return Candidate(name, build_evaluator("training", self.task, options))
        return Candidate(name, build_evaluator(name, self.task))

    def _predictor(self, name: str, regressor: str, steps: int) -> Candidate:
        """Learns from one training each of networks that nobody is asked about."""
        seed = first_seed(self.rows)
        others = [row for row in self.rows if row.genotype not in self.asked]
        file = self.folder / f"trainings-{steps}.json"
        entries = [{"genotype": row.genotype, "value": row.trained[seed, steps].held_out} for row in others]
        file.write_text(json.dumps({"entries": entries}))
        task = replace(self.task, sample=lambda rng: others[rng.integers(len(others))].genotype)
        options = {
            "over": "table",
            "over_options": {"file": str(file)},
            "samples": self.samples,
            "regressor": regressor,
        }
        seconds = float(np.mean([row.trained[seed, steps].seconds for row in others]))
        return Candidate(name, build_evaluator("predictor", task, options), self.samples * seconds)

    def _supernet(self) -> Candidate:
        """Shared weights, trained by the sandwich rule or taken from the folder where they are."""
        supernet = Supernet(self._graphs_of_all_operators(), seed=self.task.seed)
        weights = self.folder / f"supernet-{self.supernet_steps}.pt"
        took = weights.with_suffix(".json")
        if took.exists():
            supernet.load(weights)
        else:
            seconds = self._train(supernet, weights.with_suffix(".checkpoint"))
            supernet.save(weights)
            took.write_text(json.dumps({"seconds": seconds}))
        task = replace(self.task, supernet=supernet)
        return Candidate(_SUPERNET, build_evaluator(_SUPERNET, task), json.loads(took.read_text())["seconds"])

    def _train(self, supernet: Supernet, checkpoint: Path) -> float:
        """Train, and return seconds of the processor; steps before an interruption are taken to be like the others."""
        space = self.task.space
        began = logged = time.process_time()
        steps_here = 0

        def progress(step: int, steps: int, loss: float) -> None:
            nonlocal steps_here, logged
            steps_here += 1
            if time.process_time() - logged > _LOG_EVERY_S:
                logged = time.process_time()
                print(f"supernet: step {step} of {steps}, loss {loss:.3f}", flush=True)

        train_supernet(
            supernet,
            largest=self.task.graph(space.largest()),
            smallest=self.task.graph(space.smallest()),
            sample=lambda rng: self.task.graph(space.sample(rng)),
            data=self.task.train.resized(self.task.resolution),
            settings=TrainingSettings(steps=self.supernet_steps),
            seed=self.task.seed,
            checkpoint=checkpoint,
            progress=progress,
        )
        return (time.process_time() - began) * self.supernet_steps / max(1, steps_here)

    def _graphs_of_all_operators(self) -> list[Graph]:
        """The largest network of each setting of the categorical variables."""
        choices = [
            variable.values[-1:] if variable.ordinal else variable.values for variable in self.task.space.variables
        ]
        return [self.task.graph(genotype) for genotype in product(*choices)]
