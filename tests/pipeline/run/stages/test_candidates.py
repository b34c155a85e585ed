"""Measuring the best of a round: what is built, what is kept, what a failure and a kill leave, and what is refined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinynas.errors import ExternalError
from tinynas.graph import Graph
from tinynas.latency import LatencyModel, Measurement, fit_latency, to_json
from tinynas.lowering import Lowering, Schedule, Step
from tinynas.pipeline.costs import NetworkCost
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory, RunDirectoryError
from tinynas.spaces import Genotype, load_space
from tinynas.targets import load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _candidates
from tinynas.pipeline.run.stages._calibration import latency_model_file
from tinynas.pipeline.run.stages._candidates import measure_and_refine
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._scored import Scored

# What the calibration saw takes 10 a loop; on this board it takes 12, and a network 40 more than its layers.
CALIBRATED, TRUE, OVERHEAD = 10.0, 12.0, 40.0
CANDIDATES = [(1, 2), (3, 4), (5, 6)]


def scored(genotype: Genotype) -> Scored:
    cost = NetworkCost(1, 1, 1, 1, None, (), (), 0.0, Lowering())
    return Scored("evolution", 1, genotype, 0.5, 1.0, cost, 0.5)


def schedule_of(genotype: Genotype) -> Schedule:
    """A layer per gene, of as many loops; a gene of 9 is a layer of a kernel that was never calibrated."""
    steps = tuple(
        Step(i, "unknown" if n == 9 else "conv", (), (), 0, (), 0, f"layer{i}", macs=0, features={"loops": float(n)})
        for i, n in enumerate(genotype)
    )
    return Schedule(Graph((), (), (), ()), steps, (), (), (), {})


@dataclass
class Board:
    """Takes the place of building and running; fails or dies at the network it is told to."""

    fails_at: Genotype | None = None
    error: BaseException = field(default_factory=lambda: ExternalError("the board fell silent"))
    measured: list[tuple[str, Genotype]] = field(default_factory=list)

    def build_and_measure(
        self,
        context: object,
        memory: object,
        name: str,
        graph: Genotype,
        inputs: object,
        *,
        folder: str,
        schedule: Schedule,
    ) -> Any:
        assert folder == f"candidates/{name}"
        if graph == self.fails_at:
            raise self.error
        self.measured.append((name, graph))
        values = [TRUE * step.features["loops"] for step in schedule.steps]

        def layers(of: Schedule) -> list[Measurement]:
            return [Measurement(s.variant, s.features, v) for s, v in zip(of.steps, values, strict=True)]

        measured = SimpleNamespace(unit="cycles", ticks=sum(values) + OVERHEAD, clock_hz=1, layers=layers)
        return SimpleNamespace(deployment=SimpleNamespace(schedule=schedule), measured=measured)


@dataclass
class Watcher:
    """Keeps the last words of each piece of work."""

    said: list[str] = field(default_factory=list)

    def begin(self, title: str, total: int) -> None:
        pass

    def advance(self, completed: int, note: str = "") -> None:
        pass

    def end(self, summary: str = "") -> None:
        self.said.append(summary)


@dataclass
class Stage:
    """A calibrated run, and the board that it measures on."""

    context: RunContext
    board: Board
    watcher: Watcher

    def measure(self, candidates: list[Genotype], number: int = 1) -> LatencyModel:
        chosen = ChosenSpace(self.context.space, 0.5, 16, 1, 2)
        return measure_and_refine(self.context, chosen, None, None, number, [scored(g) for g in candidates])

    def records(self, kind: str) -> list[dict[str, Any]]:
        return list(self.context.run.journal.records(kind))

    @property
    def refined(self) -> bytes:
        return self.context.run.file(latency_model_file(1)).read_bytes()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Opens a run directory, anew or again, on a board."""
    config = RunConfig.model_validate({"board": "nucleo-f303k8", "data": {"dataset": "own"}})
    split = Split(np.zeros((2, 16, 16, 1), np.uint8), np.arange(2))
    data = Dataset("own", split, split, split, ("a", "b"))
    runs: list[RunDirectory] = []

    def close() -> None:
        if runs:
            runs.pop().__exit__(None, None, None)

    def open_run(path: Path, board: Board | None = None) -> Stage:
        close()
        board, watcher = board or Board(), Watcher()
        runs.append(RunDirectory(path, {}).__enter__())
        context = RunContext(config, load_board("nucleo-f303k8"), load_space("mobile-tiny"), data, runs[0], watcher, 1)
        calibrated = [Measurement("conv", {"loops": n}, CALIBRATED * n) for n in (1.0, 2.0, 5.0, 9.0)]
        decides = context.quantity
        model = fit_latency(calibrated, unit=decides.unit, basis=decides.basis)
        context.run.write_json(latency_model_file(0), to_json(model))
        monkeypatch.setattr(_candidates, "build_and_measure", board.build_and_measure)
        return Stage(context, board, watcher)

    # A genotype stands for its quantized graph, whose schedule has a layer per gene.
    monkeypatch.setattr(_candidates, "candidate_to_int8", lambda context, chosen, supernet, genotype: genotype)
    monkeypatch.setattr(
        _candidates,
        "execution_of",
        lambda context, memory, architecture, graph: SimpleNamespace(schedule=lambda: schedule_of(graph)),
    )
    monkeypatch.setattr(_candidates, "random_inputs", lambda schedule, count, seed: None)
    monkeypatch.setattr(ChosenSpace, "architecture", lambda self, genotype: genotype)
    yield open_run
    close()


def test_each_candidate_is_measured_once_in_order_and_kept(opened: Callable[..., Stage], tmp_path: Path) -> None:
    stage = opened(tmp_path)
    stage.measure(CANDIDATES)
    assert stage.board.measured == [(f"round-1-candidate-{i}", genotype) for i, genotype in enumerate(CANDIDATES)]
    assert [(r["round"], tuple(r["genotype"]), r["ticks"]) for r in stage.records("measured")] == [
        (1, genotype, TRUE * sum(genotype) + OVERHEAD) for genotype in CANDIDATES
    ]
    assert [record["work"] for record in stage.records("finished")] == [
        *(f"round-1-candidate-{i}" for i in range(3)),
        "refinement 1",
    ]


def test_the_model_learns_what_was_measured(opened: Callable[..., Stage], tmp_path: Path) -> None:
    stage = opened(tmp_path)
    refined = stage.measure(CANDIDATES)
    comparison = stage.records("finished")[-1]["result"]
    assert (comparison["networks"], comparison["layers"]) == (3, 6)
    assert comparison["measured"] == [TRUE * n for genotype in CANDIDATES for n in genotype]
    assert comparison["predicted_before"] == pytest.approx(
        [CALIBRATED * n for genotype in CANDIDATES for n in genotype]
    )
    assert comparison["layer_error_before"] == pytest.approx(1 - CALIBRATED / TRUE)
    assert comparison["layer_error_after"] < 0.5 * comparison["layer_error_before"]
    assert comparison["network_error_after"] < comparison["network_error_before"]
    predicted = refined.predict(schedule_of((7, 8))).total
    assert predicted == pytest.approx(TRUE * 15 + OVERHEAD, rel=0.1)
    assert refined.provenance["round"] == 1
    assert stage.watcher.said[-1].startswith("error per layer 16.667 % -> ")


def test_a_kernel_that_was_never_calibrated_counts_as_wholly_wrong(
    opened: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = opened(tmp_path)
    stage.measure([(3, 9)])
    comparison = stage.records("finished")[-1]["result"]
    assert comparison["predicted_before"] == pytest.approx([CALIBRATED * 3, 0.0])
    assert comparison["layer_error_before"] == pytest.approx((1 - CALIBRATED / TRUE + 1) / 2)
    assert comparison["predicted_after"][1] == pytest.approx(TRUE * 9, rel=0.05)


@pytest.mark.parametrize(("within", "predicted"), [("conv", CALIBRATED * (2 + 3 + 4)), ("unknown", 0.0)])
def test_a_streamed_segment_is_predicted_with_the_kernels_that_it_calls(within: str, predicted: float) -> None:
    model = fit_latency([Measurement("conv", {"loops": n}, CALIBRATED * n) for n in (1.0, 2.0, 5.0, 9.0)])
    kernels = [["conv", {"loops": 3.0}], [within, {"loops": 4.0}]]
    layer = {"variant": "conv", "features": {"loops": 2.0}, "value": CALIBRATED * 10, "within": kernels}
    comparison = _candidates._compare(1, [{"unit": "cycles", "ticks": 1.0, "layers": [layer]}], model, model)
    assert comparison["predicted_before"] == pytest.approx([predicted])
    assert comparison["layer_error_before"] == pytest.approx(1 - predicted / (CALIBRATED * 10))


def test_a_later_round_refines_the_model_of_the_one_before(opened: Callable[..., Stage], tmp_path: Path) -> None:
    stage = opened(tmp_path)
    stage.measure(CANDIDATES[:1])
    stage.measure(CANDIDATES[1:], number=2)
    first, second = [record["result"] for record in stage.records("finished") if "refinement" in record["work"]]
    assert second["layer_error_before"] < first["layer_error_before"]
    assert {r["round"] for r in stage.records("measured")} == {1, 2}


@pytest.mark.parametrize(
    "error",
    [ExternalError("the board fell silent"), KeyboardInterrupt()],
    ids=["failure", "interrupt"],
)
def test_after_a_failed_measurement_only_the_rest_is_measured(
    error: BaseException, opened: Callable[..., Stage], tmp_path: Path
) -> None:
    undisturbed = opened(tmp_path / "undisturbed")
    undisturbed.measure(CANDIDATES)
    failing = opened(tmp_path / "run", Board(fails_at=CANDIDATES[1], error=error))
    with pytest.raises(type(error)) as raised:
        failing.measure(CANDIDATES)
    assert raised.value is error
    assert [record["work"] for record in failing.records("finished")] == ["round-1-candidate-0"]
    assert not failing.context.run.file(latency_model_file(1)).exists()
    resumed = opened(tmp_path / "run")
    resumed.measure(CANDIDATES)
    assert [genotype for _, genotype in resumed.board.measured] == CANDIDATES[1:]
    assert [tuple(record["genotype"]) for record in resumed.records("measured")] == CANDIDATES
    assert resumed.refined == undisturbed.refined


def test_a_finished_round_is_read_back(opened: Callable[..., Stage], tmp_path: Path) -> None:
    first = opened(tmp_path).measure(CANDIDATES)
    again = opened(tmp_path)
    assert to_json(again.measure(CANDIDATES)) == to_json(first)
    assert again.board.measured == []


def test_a_changed_model_is_refused(opened: Callable[..., Stage], tmp_path: Path) -> None:
    opened(tmp_path).measure(CANDIDATES)
    again = opened(tmp_path)
    again.context.run.file(latency_model_file(1)).write_text("{}")
    with pytest.raises(RunDirectoryError, match=r"model-1.json has changed since 'refinement 1' wrote it"):
        again.measure(CANDIDATES)


def test_where_nothing_is_left_to_measure_the_model_stays(opened: Callable[..., Stage], tmp_path: Path) -> None:
    stage = opened(tmp_path)
    model = stage.measure([])
    assert model.predict(schedule_of((2, 3))).total == pytest.approx(CALIBRATED * 5)
    assert stage.refined == stage.context.run.file(latency_model_file(0)).read_bytes()
    assert stage.records("finished") == []
    assert stage.watcher.said == ["every network that was found has been measured"]
