"""Every evaluator of this package keeps the contract."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tinynas import training
from tinynas.evaluation import EvaluationTask, Evaluator, build_evaluator
from tinynas.spaces import SearchSpace
from tinynas.testing import BaseEvaluatorTestCase

pytest.importorskip("torch")

SHORT = {"steps": 8, "batch_size": 16, "fidelities": [0.25, 1.0]}


class TestTraining(BaseEvaluatorTestCase):
    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("training", task, SHORT)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("training", task, {**SHORT, "learning_rate": 0.1})


class TestTrainingProxy(BaseEvaluatorTestCase):
    """All stand-ins at once, two seeds."""

    OPTIONS: ClassVar[dict[str, Any]] = {
        "steps": 6,
        "batch_size": 16,
        "seeds": 2,
        "data_share": 0.5,
        "resolution_scale": 0.5,
        "width_scale": 0.5,
    }

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("training", task, self.OPTIONS)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("training", task, {**self.OPTIONS, "data_share": 0.75})


class TestSupernet(BaseEvaluatorTestCase):
    def _with(self, task: EvaluationTask, recalibration_images: int) -> Evaluator:
        supernet = training.Supernet([task.graph(task.space.largest())], seed=1)
        options = {"validation_images": 40, "recalibration_images": recalibration_images}
        return build_evaluator("supernet", replace(task, supernet=supernet), options)

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return self._with(task, 32)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return self._with(task, 16)


class TestTable(BaseEvaluatorTestCase):
    reads_data = reads_held_out = starts_processes = False

    @pytest.fixture(autouse=True)
    def _file(self, space: SearchSpace, tmp_path: Path) -> None:
        self.path = tmp_path / "table.json"
        entries = [
            {"genotype": genotype, "fidelity": fidelity, "value": 0.5 * fidelity + 0.001 * number}
            for number, genotype in enumerate(space.enumerate())
            for fidelity in (0.5, 1.0)
        ]
        self.path.write_text(json.dumps({"entries": entries}))

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator("table", task, {"file": str(self.path)})

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        other = self.path.with_name("other.json")
        other.write_text(self.path.read_text().replace("0.5", "0.6"))
        return build_evaluator("table", task, {"file": str(other)})


class _Counts(BaseEvaluatorTestCase):
    reads_data = reads_held_out = starts_processes = False
    name = ""

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator(self.name, task)


class TestMacs(_Counts):
    name = "macs"


class TestParameters(_Counts):
    name = "parameters"


class _ZeroCost(BaseEvaluatorTestCase):
    reads_held_out = starts_processes = False
    name = ""

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator(self.name, task, {"images": 16})

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return build_evaluator(self.name, task, {"images": 16, "initializations": 2})


class TestGradNorm(_ZeroCost):
    name = "grad-norm"


class TestSnip(_ZeroCost):
    name = "snip"


class TestGrasp(_ZeroCost):
    starts_processes = True
    name = "grasp"


class TestSynflow(_ZeroCost):
    name = "synflow"


class TestNaswot(_ZeroCost):
    name = "naswot"


class TestZen(_ZeroCost):
    name = "zen"


class TestZico(_ZeroCost):
    name = "zico"


class _Predictor(BaseEvaluatorTestCase):
    reads_data = reads_held_out = starts_processes = False
    regressor = ""

    def _with(self, task: EvaluationTask, **options: object) -> Evaluator:
        over = {"over": "macs", "samples": 20, "features": ["parameters"], "regressor": self.regressor}
        return build_evaluator("predictor", task, {**over, **options})

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return self._with(task)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return self._with(task, encoding="ordinal")


class TestRidge(_Predictor):
    regressor = "ridge"


class TestTrees(_Predictor):
    regressor = "trees"


class TestMlp(_Predictor):
    regressor = "mlp"


class TestPredictorOverTraining(BaseEvaluatorTestCase):
    """They compose, and the key of the one below is part of that of the one above."""

    def _over(self, task: EvaluationTask, options: dict[str, object]) -> Evaluator:
        over = {"over": "training", "over_options": options, "fidelity": 0.25, "samples": 6}
        return build_evaluator("predictor", task, over)

    def evaluator(self, task: EvaluationTask) -> Evaluator:
        return self._over(task, SHORT)

    def other_settings(self, task: EvaluationTask) -> Evaluator:
        return self._over(task, {**SHORT, "learning_rate": 0.1})
