"""Numbers of steps for a budget of minutes, as arithmetic, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinynas.errors import UsageError
from tinynas.pipeline import load_config
from tinynas.pipeline.run import (
    QuantizationConfig,
    RunConfig,
    _config_checks,
    configuration_digest,
    least_steps,
    read_plan,
    steps_of,
    with_steps,
)

pytest.importorskip("torch")

from tinynas.pipeline.run.stages._plan import plan_for
from tinynas.pipeline.run.stages._work import Work, works_of

TASK = 'board = "nucleo-f303k8"\n[quantization]\nmethod = "qat"\n[data]\ndataset = "fashion-mnist"\n'
MINUTES = "[budget]\nminutes = 30\n"
TRAINING = '[search]\nevaluator = "training"\n'
IN_FULL = '[finetune]\nweights = "evaluation"\n'
RULER = "[ruler]\nnetworks = 8\nseeds = 3\n"
PREDICTED = """[search]
evaluator = "predictor"
evaluator_options = { over_options = { steps = 40, seeds = 2, fidelities = [0.5, 1.0] }, samples = 16, fidelity = 0.5 }
"""


def configuration(folder: Path, changes: str) -> RunConfig:
    path = folder / "run.toml"
    path.write_text(TASK + changes)
    return load_config(path)


QAT = {"quantization": 300}
END = {"finetune": 1000, **QAT}


@pytest.mark.parametrize(
    ("changes", "steps", "networks"),
    [
        ("", {"supernet": 1500, **END}, [1, 4, 4]),
        ('[search]\nevaluator = "macs"\n', END, [4, 4]),
        ('[search]\nmethod = "gradient"\n', {"supernet": 1500, **END}, [1, 4, 4]),
        ('[search]\nevaluator = "macs"\n[finetune]\nweights = "supernet"\n', {"supernet": 1500, **END}, [1, 4, 4]),
        ('[search]\nevaluator = "predictor"\n', {"evaluation": 300, **END}, [64, 4, 4]),
        (PREDICTED, {"evaluation": 40, **END}, [16 * 0.5 * 2, 4, 4]),
        (
            '[search]\nevaluator = "predictor"\nevaluator_options = { over = "supernet" }\n',
            {"supernet": 1500, **END},
            [1, 4, 4],
        ),
        (
            '[search]\nevaluator = "predictor"\nevaluator_options = { over = "predictor", samples = 8 }\n',
            {"evaluation": 300, **END},
            [64, 4, 4],
        ),
        (TRAINING, {"evaluation": 300, **END}, [120, 4, 4]),
        (TRAINING + "[baselines]\nrandom_search = false\ntrain = []\n", {"evaluation": 300, **END}, [60, 1, 1]),
        (TRAINING + 'strategy = "random"\n', {"evaluation": 300, **END}, [60, 4, 4]),
        # The network of the most MACs is trained in full for the baselines.
        (TRAINING + "evaluator_options = { fidelities = [0.25, 1.0] }\n", {"evaluation": 300, **END}, [120, 1, 4, 4]),
        # Winner and three baselines, three times each; the first of the winner and of two of them are from the search.
        ("[baselines]\nseeds = 3\n", {"supernet": 1500, **END}, [1, 12, 12]),
        (TRAINING + IN_FULL + "[baselines]\nseeds = 3\n", {"evaluation": 300, **QAT}, [120, 1 + 4 * 2, 12]),
        # The ruler has its evaluator score eight networks at the lowest fidelity; MobileNetV2 is from outside.
        (
            TRAINING + "evaluator_options = { fidelities = [0.25, 1.0], seeds = 2 }\n" + IN_FULL + RULER,
            {"evaluation": 300, "ruler": 1500, **QAT},
            [240, 8 * 0.25 * 2, 2, 1, 24, 4],
        ),
    ],
)
def test_what_a_run_trains_is_what_is_planned(
    changes: str, steps: dict[str, int], networks: list[float], tmp_path: Path
) -> None:
    config = configuration(tmp_path, MINUTES + changes)
    assert steps_of(config) == steps
    assert [work.networks for work in works_of(config)] == networks
    assert {work.steps for work in works_of(config)} == steps.keys()
    doubled = {name: 2 * number for name, number in steps.items()}
    assert steps_of(with_steps(config, doubled)) == doubled


def test_without_quantization_aware_training_none_is_planned(tmp_path: Path) -> None:
    config = configuration(tmp_path, MINUTES).model_copy(update={"quantization": QuantizationConfig(method="ptq")})
    assert steps_of(config) == {"supernet": 1500, "finetune": 1000}
    assert [work.networks for work in works_of(config)] == [1, 4]


@pytest.mark.parametrize(
    ("at_once", "processes", "seconds"), [(1, 8, 60), (8, 1, 60), (2, 8, 30 / 0.85), (8, 4, 15 / 0.85)]
)
def test_only_what_trains_side_by_side_is_faster_in_more_processes(
    at_once: int, processes: int, seconds: float
) -> None:
    assert Work("evaluation", 6, at_once).seconds(10, processes) == pytest.approx(seconds)


def test_a_window_limits_how_many_train_at_once(tmp_path: Path) -> None:
    config = configuration(tmp_path, TRAINING + RULER + "[baselines]\nrandom_search = false\ntrain = []\n")
    assert [work.at_once for work in works_of(config)] == [4, 8, 24, 1, 1]


def seconds_of(config: RunConfig) -> dict[str, float]:
    """As many seconds a step that all trainings take ten minutes in one process."""
    steps = steps_of(config)
    each = 600 / sum(steps[work.steps] * work.networks for work in works_of(config))
    return dict.fromkeys(steps, each)


def with_minutes(config: RunConfig, minutes: float) -> RunConfig:
    return config.model_copy(update={"budget": config.budget.model_copy(update={"minutes": minutes})})


@pytest.mark.parametrize(("minutes", "spent", "factor"), [(20, 300, 1), (40, 300, 2.5), (20, 0, 1.5)])
def test_a_quarter_is_kept_and_what_is_spent_is_gone(
    minutes: float, spent: float, factor: float, tmp_path: Path
) -> None:
    config = with_minutes(configuration(tmp_path, ""), minutes)
    plan = plan_for(config, seconds_of(config), 8, spent)
    assert plan["factor"] == pytest.approx(factor)
    assert plan["steps"] == {"supernet": 1500 * factor, "finetune": 1000 * factor, "quantization": 300 * factor}


@pytest.mark.parametrize("changes", ["", TRAINING + "evaluator_options = { fidelities = [0.01, 1.0] }\n", PREDICTED])
@pytest.mark.parametrize("spent", [10.0, 500.0])
def test_minutes_that_leave_a_training_no_step_are_refused_with_some_that_do(
    changes: str, spent: float, tmp_path: Path
) -> None:
    config = with_minutes(configuration(tmp_path, changes), 0.1)
    with pytest.raises(UsageError, match=rf"minutes = 0.1 leaves no step for .*: {spent:.0f} s are spent") as refused:
        plan_for(config, seconds_of(config), 1, spent)
    enough = int(str(refused.value).split("give ")[1].split()[0])
    plan = plan_for(with_minutes(config, enough), seconds_of(config), 1, spent)["steps"]
    assert all(plan[name] >= least for name, least in least_steps(config).items())
    with pytest.raises(UsageError):
        plan_for(with_minutes(config, enough - 1 or 0.1), seconds_of(config), 1, spent)


def test_no_training_of_the_lowest_fidelity_is_left_without_steps(tmp_path: Path) -> None:
    config = configuration(tmp_path, TRAINING + "evaluator_options = { fidelities = [0.1, 1.0] }\n")
    least = least_steps(config)["evaluation"]
    assert (round(least * 0.1), round((least - 1) * 0.1)) == (1, 0)


def test_what_a_configuration_may_not_have_may_not_be_planned(tmp_path: Path) -> None:
    """Scaled down, both trainings round to as many steps."""
    config = configuration(tmp_path, MINUTES + TRAINING + "[ruler]\nnetworks = 8\nsteps = 301\n")
    with pytest.raises(
        UsageError, match=r"minutes = 30: ruler: its trainings of .* are no longer than the evaluator's"
    ):
        plan_for(config, {name: 40 * each for name, each in seconds_of(config).items()}, 1, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            '[search]\nevaluator = "predictor"\nevaluator_options = { over = "macs", features = ["training"] }\n',
            "budget: features of a predictor are trained by defaults",
        ),
        ("", "minutes: Input should be less than or equal to 1000000"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes: str, message: str, tmp_path: Path) -> None:
    minutes = MINUTES if changes else "[budget]\nminutes = 1e9\n"
    with pytest.raises(UsageError, match=message):
        configuration(tmp_path, minutes + changes)


def test_what_other_methods_train_is_not_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config_checks, "PLANNED_METHODS", ("sampled",))
    with pytest.raises(UsageError, match="budget: what method 'gradient' trains is not known before; leave minutes"):
        configuration(tmp_path, MINUTES + '[search]\nmethod = "gradient"\n')


def steps_json(**steps: Any) -> str:
    return json.dumps({"steps": {"supernet": 5, "finetune": 5, "quantization": 5, **steps}, "configuration": "DIGEST"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read plan .*plan.json: No such file or directory$"),
        ("no JSON", "is no plan: give the plan.json"),
        ("", "is no plan"),
        ("\x00\xff", "is no plan"),
        ("[]", "is no plan"),
        ("[" * 100_000, "is no plan"),
        ('{"steps": [5], "configuration": "DIGEST"}', "is no plan"),
        ('{"steps": {"finetune": 5}}', "is no plan"),
        ('{"steps": {"finetune": 1' + 5000 * "0" + "}}", "is no plan"),
        (steps_json(finetune=0), r"has steps.finetune = 0: a number of steps is a whole number from 1"),
        (steps_json(finetune=-1), r"has steps.finetune = -1: a number"),
        (steps_json(finetune=5.0), r"has steps.finetune = 5.0: a number"),
        (steps_json(finetune=True), r"has steps.finetune = true: a number"),
        (steps_json(finetune="5"), r'has steps.finetune = "5": a number'),
        (steps_json(finetune=10**30), r"has steps.finetune = 10{30}: a number"),
        (steps_json(ruler=5), "plans finetune, quantization, ruler, supernet, and this run trains finetune, quant"),
        (steps_json().replace("DIGEST", "another"), "is a plan of another configuration"),
    ],
)
def test_a_file_that_is_no_plan_of_this_run_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    config, path = configuration(tmp_path, ""), tmp_path / "plan.json"
    if content is not None:
        path.write_text(content.replace("DIGEST", configuration_digest(config)), encoding="latin-1")
    with pytest.raises(UsageError, match=message) as refused:
        read_plan(path, config)
    assert str(refused.value).count(str(path)) == 1
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read plan .*: Is a directory$"):
        read_plan(tmp_path, configuration(tmp_path, ""))


def test_a_plan_that_the_configuration_cannot_have_is_refused(tmp_path: Path) -> None:
    config, path = configuration(tmp_path, TRAINING + RULER), tmp_path / "plan.json"
    steps = {"evaluation": 9, "ruler": 9, "finetune": 9, "quantization": 9}
    path.write_text(json.dumps({"steps": steps, "configuration": configuration_digest(config)}))
    with pytest.raises(UsageError, match=r"plan.json: ruler: its trainings of 9 steps are no longer than"):
        read_plan(path, config)


def test_a_plan_is_for_all_seeds_budgets_and_folders_of_a_configuration(tmp_path: Path) -> None:
    digests = set()
    for name, changes in (("a", ""), ("b", MINUTES)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "own.npz").touch()
        (folder / "run.toml").write_text(TASK.replace("fashion-mnist", "own.npz") + 'directory = "data"\n' + changes)
        digests |= {configuration_digest(load_config(folder / "run.toml", seed=seed)) for seed in (0, 1)}
    assert len(digests) == 1
    assert configuration_digest(configuration(tmp_path, "[finetune]\nsteps = 999\n")) not in digests
