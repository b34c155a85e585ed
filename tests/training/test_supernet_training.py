"""Training: it learns, resumes to the bit, and does not depend on the number of processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_networks import LARGEST, SMALLEST, sample_toy, toy_data, toy_graph

from tinynas.errors import UsageError
from tinynas.training import (
    Augmentation,
    CheckpointError,
    Sgd,
    SubnetScorer,
    Supernet,
    TrainingDiverged,
    TrainingSettings,
    score_subnet,
    train_subnet,
    train_supernet,
)
from tinynas.training import _descent as descent_module

DATA = toy_data(256)
SETTINGS = TrainingSettings(12, batch_size=16, learning_rate=0.05, augmentation=Augmentation(shift=1, flip=True))


def trained(**changes: object) -> torch.Tensor:
    supernet = Supernet([LARGEST], seed=5)
    arguments: dict[str, object] = {"settings": SETTINGS, "data": DATA, "seed": 7} | changes
    train_supernet(supernet, largest=LARGEST, smallest=SMALLEST, sample=sample_toy, **arguments)  # type: ignore[arg-type]
    return supernet.parameters.flat.clone()


def test_same_seed_same_bits_on_one_process_or_two() -> None:
    alone = trained()
    assert torch.equal(alone, trained())
    assert torch.equal(alone, trained(processes=2))
    assert not torch.equal(alone, trained(seed=8))


class Killed(Exception):
    """Stands for a kill at a given step."""


def kill_after(steps: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int, loss: float) -> None:
        assert total == SETTINGS.steps
        assert loss > 0
        if done == steps:
            raise Killed

    return progress


@pytest.mark.parametrize("killed_at", [1, 6, 11])
def test_a_killed_and_resumed_run_ends_in_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    monkeypatch.setattr(descent_module.CheckpointClock, "due", lambda self: True)
    checkpoint = tmp_path / "supernet.checkpoint"
    with pytest.raises(Killed):
        trained(checkpoint=checkpoint, progress=kill_after(killed_at))
    steps: list[int] = []
    resumed = trained(checkpoint=checkpoint, progress=lambda done, total, loss: steps.append(done))
    assert steps == list(range(killed_at + 1, SETTINGS.steps + 1))
    assert torch.equal(resumed, trained())


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.checkpoint"
    first = trained(checkpoint=checkpoint)
    steps: list[int] = []
    again = trained(checkpoint=checkpoint, progress=lambda done, total, loss: steps.append(done))
    assert steps == []
    assert torch.equal(first, again)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.checkpoint"
    trained(checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="belongs to other settings, data or networks"):
        trained(checkpoint=checkpoint, seed=99)


def test_a_truncated_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    checkpoint = tmp_path / "supernet.checkpoint"
    trained(checkpoint=checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="delete it to start anew"):
        trained(checkpoint=checkpoint)


def test_every_subnet_of_a_trained_supernet_beats_chance_by_far() -> None:
    supernet = Supernet([LARGEST], seed=0)
    train_supernet(
        supernet,
        largest=LARGEST,
        smallest=SMALLEST,
        sample=sample_toy,
        data=toy_data(1024),
        settings=TrainingSettings(150, batch_size=32, learning_rate=0.05),
        sampled_per_step=1,
    )
    held_out = toy_data(256, seed=9)
    graphs = [LARGEST, SMALLEST, toy_graph(depth=1, kernel=5, expansion=2)]
    alone = [score_subnet(supernet, graph, DATA.images, held_out) for graph in graphs]
    assert min(alone) > 0.8
    for processes in (1, 2):
        with SubnetScorer(supernet, DATA.images, held_out, processes=processes) as scorer:
            assert scorer.score(graphs) == alone


def test_fine_tuning_starts_from_the_shared_weights() -> None:
    supernet = Supernet([LARGEST], seed=0)
    subnet = supernet.extract(SMALLEST)
    before = subnet.parameters.flat.clone()
    train_subnet(subnet, SMALLEST, data=DATA, settings=TrainingSettings(5, batch_size=16, learning_rate=0.01))
    change = float((subnet.parameters.flat - before).abs().max())
    assert 0 < change < 0.5


def test_divergence_is_reported() -> None:
    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        trained(settings=TrainingSettings(60, batch_size=16, learning_rate=1e25, warmup=0.0))


def test_a_clipped_step_is_no_longer_than_its_limit() -> None:
    supernet = Supernet([SMALLEST], seed=0)
    before = supernet.parameters.flat.clone()
    plain = Sgd(momentum=0.0, weight_decay=0.0)
    settings = TrainingSettings(1, batch_size=16, learning_rate=1.0, optimizer=plain, gradient_clip=1e-3)
    train_subnet(supernet, SMALLEST, data=DATA, settings=settings)
    assert float(torch.linalg.vector_norm(supernet.parameters.flat - before)) == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"shards": 0}, {"batch_size": 3}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="training needs at least"):
        TrainingSettings(**({"steps": 5, "batch_size": 8} | wrong))  # type: ignore[arg-type]


def test_sampling_does_not_depend_on_where_a_run_started() -> None:
    first = [sample_toy(np.random.default_rng([0, s])) for s in range(4)]
    assert first == [sample_toy(np.random.default_rng([0, s])) for s in range(4)]
