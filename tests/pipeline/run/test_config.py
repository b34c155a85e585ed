"""Configuration errors are one line, name the place, and suggest the nearest key."""

from __future__ import annotations

import typing
from pathlib import Path

import numpy as np
import pytest

from tinynas.errors import UsageError
from tinynas.pipeline.run import ConfigError, RunConfig, load_config, strategy_options
from tinynas.pipeline.run._config import FinetuneConfig, QuantizationConfig, SupernetConfig

MINIMAL = 'board = "virt-m4"\n[data]\ndataset = "fashion-mnist"\n'
TRAINED = '[search]\nevaluator = "training"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text)
    return path


def test_minimal_configuration_takes_the_defaults(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.board == "virt-m4"
    assert config.search.rounds == 2
    assert config.reserve.sram_bytes == 0


def test_configuration_is_frozen(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]  # the point of the test


def test_seed_can_be_replaced(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "seed = 1\n" + MINIMAL), seed=7).seed == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "board: Field required"),
        ('board = "x"\n', "data: Field required"),
        ('boards = "x"\n' + MINIMAL, "unknown key 'boards'; did you mean 'board'?"),
        ('boards = "x"\n[data]\ndataset = "d"\n', "unknown key 'boards'; did you mean 'board'?"),
        (MINIMAL + "[search]\nevalutions = 5\n", "unknown key 'search.evalutions'; did you mean 'evaluations'?"),
        (MINIMAL + "[serch]\n", "unknown key 'serch'; did you mean 'search'?"),
        (MINIMAL + "[reserve]\nzzz = 1\n", "unknown key 'reserve.zzz'; one of flash_bytes, sram_bytes"),
        (MINIMAL + '[measure]\ntoolchain = "gc"\n', "measure.toolchain: Input should be 'zig' or 'gcc'"),
        (MINIMAL + "[search]\nrounds = 0\n", "search.rounds: Input should be greater than or equal to 1"),
        (MINIMAL + "[supernet]\nlearning_rate = inf\n", "supernet.learning_rate: Input should be a finite number"),
        (
            MINIMAL + '[finetune]\noptimizer = "lion"\n',
            "finetune.optimizer: Input should be 'sgd', 'adam', 'adamw' or 'muon'",
        ),
        (MINIMAL + "[search]\nevaluations = 4\npopulation = 9\n", "search: population (9) must not exceed"),
        (
            MINIMAL + '[search]\nstrategy = "evolutoin"\n',
            "search: unknown strategy 'evolutoin'; did you mean 'evolution'?",
        ),
        (MINIMAL + '[search]\nstrategy = "tpe"\noptions = { x = 1 }\n', "options of strategy 'tpe': unknown key 'x'"),
        (
            MINIMAL + '[search]\nmethod = "sampeld"\n',
            "search: unknown search method 'sampeld'; did you mean 'sampled'?",
        ),
        (
            MINIMAL + '[search]\nmethod = "gradient"\nstrategy = "tpe"\n',
            "search: method 'gradient' has no strategy to choose; leave strategy out",
        ),
        (
            MINIMAL + '[search]\nmethod = "gradient"\nmethod_options = { warmpu = 0.1 }\n',
            "options of search method 'gradient': unknown key 'warmpu'; did you mean 'warmup'?",
        ),
        (
            MINIMAL + '[search]\nmethod_options = { strategy = "tpe" }\n',
            "search: method_options: 'strategy' is said by the keys of [search] itself",
        ),
        (MINIMAL + '[search]\nstrategy = "grid"\noptions = { x = 1 }\n', "strategy 'grid' has no options, got 'x'"),
        (
            MINIMAL + "[search]\nsoft_constraint = { cost = 'macs', target = 1, weight = -1, form = 'sum' }\n",
            "search.soft_",
        ),
        (MINIMAL + '[search]\nobjectives = ["macs"]\n', "search: strategy 'evolution' does not use objectives; leave"),
        (
            MINIMAL + '[search]\nstrategy = "tpe"\npopulation = 9\n',
            "search: strategy 'tpe' does not take population; leave the key out",
        ),
        (MINIMAL + "[search]\nparents = 9\n", "unknown key 'search.parents'"),
        (
            MINIMAL + "[search]\npopulation = 9\noptions = { population = 8 }\n",
            "search: population is given twice, and the options of strategy 'evolution' win; leave one",
        ),
        (
            MINIMAL + "[search]\nevaluations = 8\noptions = { population = 9 }\n",
            "search: options: population (9) must not exceed evaluations (8); lower it",
        ),
        (
            MINIMAL + '[search]\nevaluator = "macs"\nvalidation_images = 9\n',
            "search: evaluator 'macs' does not take validation_images; leave the key out",
        ),
        (MINIMAL + "[limits]\ninstructions = 5\nlatency_ms = 2.0\n", "limits: give one of latency_ms, instructions"),
        (MINIMAL + "[limits]\ncycles = 5\nlatency_ms = 2.0\n", "limits: give one of latency_ms, cycles, not both"),
        (MINIMAL + '[measure]\ntransport = "serial"\n', "measure: port is needed"),
        (MINIMAL + '[measure]\nprobe = "A1"\n', "measure: probe names what flashes the board"),
        (MINIMAL + "[baselines]\nrandom_search = false\n", 'baselines: without random_search there is no "random"'),
        (
            MINIMAL + '[baselines]\ntrain = ["plain-cn"]\n',
            "baselines: train names 'plain-cn', which is no baseline: did you mean 'plain-cnn'?",
        ),
        (MINIMAL + '[search]\nstart = ["plain-cnn", "plain-cnn"]\n', "search: start names 'plain-cnn' twice"),
        (
            MINIMAL + '[search]\nmethod = "gradient"\nstart = ["plain-cnn"]\n',
            "search: method 'gradient' has no strategy to choose; leave start out",
        ),
        (
            MINIMAL + '[search]\nstart = ["mobilenet"]\n',
            "search: start names 'mobilenet', which nobody scales by hand: did you mean 'mobilenet-v2'?",
        ),
        (MINIMAL + '[baselines]\ntrain = ["plain-cnn", "plain-cnn"]\n', "baselines: train names 'plain-cnn' twice"),
        (
            MINIMAL + '[finetune]\nweights = "evaluation"\n',
            'finetune: weights = "evaluation" are those of evaluator "training"; take that',
        ),
        (
            MINIMAL + TRAINED + 'evaluator_options = { width_scale = 0.5 }\n[finetune]\nweights = "evaluation"\n',
            'finetune: weights = "evaluation" are of full trainings; leave evaluator option width_scale out',
        ),
        (
            MINIMAL + TRAINED + '[finetune]\nweights = "evaluation"\nsteps = 9\n',
            'finetune: steps has no effect with weights = "evaluation": evaluator_options say',
        ),
        (
            MINIMAL + TRAINED + '[finetune]\nweights = "evaluation"\nbatch_size = 9\n',
            'finetune: batch_size has no effect with weights = "evaluation"',
        ),
        (
            MINIMAL + "[quantization]\nsteps = 9\n",
            'quantization: steps has no effect with method = "ptq": leave it out, or take method = "qat"',
        ),
        (MINIMAL + "[ruler]\nnetworks = 7\n", "ruler: networks must be at least two for each of 4 groups"),
        (
            MINIMAL + '[search]\nmethod = "gradient"\n[ruler]\nnetworks = 8\n',
            "ruler: method 'gradient' has no evaluator to choose; leave networks out",
        ),
        (
            MINIMAL + '[search]\nevaluator = "macs"\n[ruler]\nnetworks = 8\n',
            "ruler: evaluator 'macs' only counts: others are tested against it; leave",
        ),
        (
            MINIMAL
            + "[search]\nsoft_constraint = { cost = 'macs', target = 1, weight = 1, form = 'product' }\n"
            + "[ruler]\nnetworks = 8\n",
            "ruler: a test may leave counting, whose scores no soft constraint is meant for; leave soft_constraint out",
        ),
        (
            MINIMAL + "[finetune]\nbatch_size = 2\n[ruler]\nnetworks = 8\n",
            "ruler: it trains in batches of at least 4; raise [finetune] batch_size",
        ),
        (
            MINIMAL + TRAINED + "[ruler]\nnetworks = 8\nsteps = 300\n",
            "ruler: its trainings of 300 steps are no longer than the evaluator's 300; raise steps",
        ),
        (MINIMAL + "[space\n", "is not valid TOML"),
    ],
)
def test_errors_are_one_line_with_place_and_suggestion(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert expected in message
    assert str(path) in message
    assert "\n" not in message or "TOML" in message
    assert caught.value.exit_code == 2


def test_a_population_is_for_strategies_that_have_one(tmp_path: Path) -> None:
    few = MINIMAL + '[search]\nevaluations = 8\nstrategy = "{}"\n'
    assert strategy_options(load_config(write(tmp_path, few.format("evolution"))).search) == {"population": 8}
    assert strategy_options(load_config(write(tmp_path, few.format("tpe"))).search) == {}


def test_what_is_looked_at_may_be_given(tmp_path: Path) -> None:
    text = '[search]\nstrategy = "nsga2"\nobjectives = ["macs"]\npopulation = 8\nvalidation_images = 90\n'
    aware = '[finetune]\nweights = "evaluation"\nbatch_size = 9\n[quantization]\nmethod = "qat"\nsteps = 9\n'
    load_config(write(tmp_path, MINIMAL + TRAINED + aware))
    config = load_config(write(tmp_path, MINIMAL + text)).search
    assert (config.objectives, config.population, config.validation_images) == (("macs",), 8, 90)
    options = "[search]\nevaluations = 8\noptions = { population = 8 }\n"
    assert strategy_options(load_config(write(tmp_path, MINIMAL + options)).search)["population"] == 8


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read configuration .*absent\.toml: No such file"):
        load_config(tmp_path / "absent.toml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "images.npz").write_bytes(b"")
    path = write(tmp_path, 'board = "virt-m4"\n[data]\ndataset = "images.npz"\n')
    assert load_config(path).data.dataset == str(tmp_path / "images.npz")


def test_own_data_smaller_than_the_usual_holdout_hold_a_fifth_out(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from tinynas.pipeline.run.stages import load_data

    labels = np.arange(200) % 2
    images = np.zeros((200, 8, 8), np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    text = 'board = "virt-m4"\n[data]\ndataset = "own.npz"\n'
    data = load_data(load_config(write(tmp_path, text)))
    assert (len(data.train), len(data.validation)) == (160, 40)
    with pytest.raises(UsageError, match=r"cannot hold 200 of the 200 training examples .*: \[data\] holdout"):
        load_data(load_config(write(tmp_path, text + "holdout = 200\n")))


def test_every_optimizer_of_training_can_be_named_and_no_other() -> None:
    pytest.importorskip("torch")
    from tinynas.training import OPTIMIZERS

    for section in (SupernetConfig, FinetuneConfig, QuantizationConfig):
        assert typing.get_args(section.model_fields["optimizer"].annotation) == tuple(OPTIMIZERS)


def test_every_example_is_valid() -> None:
    examples = sorted((Path(__file__).parents[3] / "examples").glob("*.toml"))
    assert examples
    for example in examples:
        assert isinstance(load_config(example), RunConfig)


def test_the_probe_is_no_part_of_what_a_run_is() -> None:
    """It continues when another probe flashes the board."""
    document = {"board": "nucleo-f303k8", "data": {"dataset": "own"}}
    given = RunConfig.model_validate({**document, "measure": {"transport": "serial", "port": "p", "probe": "A1"}})
    assert given.measure.probe == "A1"
    without = RunConfig.model_validate({**document, "measure": {"transport": "serial", "port": "p"}})
    assert given.model_dump() == without.model_dump()
