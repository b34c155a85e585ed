"""Training and quantizing the winner and the baselines: which files, once each, and on after any interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import room_for

from tinynas.errors import TinyNASError
from tinynas.graph import DType
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory, RunDirectoryError
from tinynas.spaces import parse_space
from tinynas.targets import load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _networks, _trainings
from tinynas.pipeline.run.stages._contender import Contender
from tinynas.pipeline.run.stages._context import ChosenSpace, RunContext
from tinynas.pipeline.run.stages._networks import TrainedNetwork, train_and_quantize
from tinynas.pipeline.run.stages._trainings import finetuning
from tinynas.training import Supernet
from tinynas.training import _checkpoint as checkpoints

SPACE = parse_space("""
name = "small"
description = "networks that train in milliseconds"
channel_divisor = 4
width_multipliers = [1.0]
resolutions = [8]
[stem]
width = 8
stride = 2
parameters = { kernel = 3 }
[[stages]]
width = 8
depth = [1]
choices = { kernel = [3], expansion = [1, 2] }
[head]
block = "classifier"
""")
CHOSEN = ChosenSpace(SPACE, 1.0, 8, 1, 3)
WINNER = Contender("winner", "winner", CHOSEN.architecture(SPACE.smallest()), SPACE.smallest(), 0.5)
OUTSIDE = Contender("mobilenet-v2", "from outside", CHOSEN.architecture(SPACE.smallest()))


def supernet() -> Supernet:
    return Supernet([CHOSEN.graph(SPACE.largest())], seed=7)


class Dying(SilentProgress):
    """Dies at a step of a piece of work."""

    def __init__(self, title: str, step: int) -> None:
        self._at = (title, step)
        self._title = ""

    def begin(self, title: str, total: int) -> None:
        self._title = title

    def advance(self, completed: int, note: str = "") -> None:
        if (self._title, completed) == self._at:
            raise KeyboardInterrupt


@pytest.fixture
def opened() -> Iterator[Callable[..., RunContext]]:
    """Opens a run directory, anew or again."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 48)
    images = (rng.integers(0, 90, (48, 8, 8, 1)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    train, rest = Split(images[:32], labels[:32]), Split(images[32:], labels[32:])
    data = Dataset("own", train, rest, rest, ("a", "b", "c"))
    runs: list[RunDirectory] = []

    def close() -> None:
        if runs:
            runs.pop().__exit__(None, None, None)

    def open_run(path: Path, progress: SilentProgress | None = None, **quantization: Any) -> RunContext:
        close()
        settings = {
            "board": "nucleo-f303k8",
            "data": {"dataset": "own"},
            "finetune": {"steps": 4, "batch_size": 8},
            "quantization": {"calibration_images": 16, **(quantization or {"method": "qat", "steps": 4})},
        }
        config = RunConfig.model_validate(settings)
        runs.append(RunDirectory(path, {}).__enter__())
        return RunContext(config, load_board("nucleo-f303k8"), SPACE, data, runs[0], progress or SilentProgress(), 1)

    yield open_run
    close()


@pytest.fixture
def checkpoint_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints.CheckpointClock, "due", lambda self: True)


def trained(context: RunContext, contender: Contender = WINNER) -> TrainedNetwork:
    network = train_and_quantize(context, finetuning(context, supernet()), contender)
    assert network is not None
    return network


def bits(context: RunContext, contender: Contender = WINNER) -> list[bytes]:
    """What a contender leaves: the float network and the int8 one."""
    return [context.run.file(name).read_bytes() for name in (contender.float_file, contender.model_file)]


def files(context: RunContext) -> set[str]:
    path = context.run.path
    return {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file()} - {"journal.jsonl", "run.lock"}


def test_both_networks_are_kept_and_no_checkpoint(
    opened: Callable[..., RunContext], checkpoint_each_step: None, tmp_path: Path
) -> None:
    context = opened(tmp_path)
    network = trained(context)
    assert files(context) == {"winner/float.tflite", "winner.tflite"}
    assert network.float_network.tensor(network.float_network.inputs[0]).dtype is DType.FLOAT32
    assert network.int8_network.tensor(network.int8_network.inputs[0]).dtype is DType.INT8
    trained(context, OUTSIDE)
    folder = "baselines/mobilenet-v2"
    assert files(context) > {f"{folder}/float.tflite", f"{folder}/model.tflite"}
    works = [record["work"] for record in context.run.journal.records("finished")]
    assert works == [f"{work} {key}" for key in ("winner", "mobilenet-v2") for work in ("train", "quantize")]


def test_a_network_of_the_space_starts_from_shared_weights_and_one_from_outside_does_not(
    opened: Callable[..., RunContext], tmp_path: Path
) -> None:
    context = opened(tmp_path)
    trained(context)
    trained(context, OUTSIDE)
    inside, outside = bits(context)[0], bits(context, OUTSIDE)[0]
    assert inside != outside
    other = opened(tmp_path / "other")
    other_weights = Supernet([CHOSEN.graph(SPACE.largest())], seed=8)
    for contender in (WINNER, OUTSIDE):
        train_and_quantize(other, finetuning(other, other_weights), contender)
    assert bits(other)[0] != inside
    assert bits(other, OUTSIDE)[0] == outside


@pytest.mark.parametrize(("qat", "ptq", "kept"), [(0.9, 0.8, "qat"), (0.7, 0.8, "ptq"), (0.8, 0.8, "qat")])
def test_whichever_rounding_is_better_on_held_out_images_is_kept(
    qat: float,
    ptq: float,
    kept: str,
    opened: Callable[..., RunContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = opened(tmp_path)
    seen = []

    def held_out_accuracy(graph: Any, data: Split, processes: int) -> float:
        assert data is context.data.validation
        seen.append(graph)
        return [ptq, qat][len(seen) - 1]

    monkeypatch.setattr(_networks, "integer_accuracy", held_out_accuracy)
    network = trained(context)
    (record,) = context.run.journal.records("finished", work="quantize winner")
    assert record["result"]["held_out"] | {"float": 0} == {"float": 0, "ptq": ptq, "qat": qat}
    expected, other = (seen[1], seen[0]) if kept == "qat" else (seen[0], seen[1])
    assert _weights(network.int8_network) == _weights(expected) != _weights(other)


def _weights(graph: Any) -> list[bytes]:
    return sorted(tensor.data.tobytes() for _, tensor in graph.constants())


def test_without_quantization_aware_training_it_is_rounded_only(
    opened: Callable[..., RunContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(_networks, "train_quantization_aware")
    context = opened(tmp_path, method="ptq")
    trained(context)
    (record,) = context.run.journal.records("finished", work="quantize winner")
    assert set(record["result"]["held_out"]) == {"float", "ptq"}


def test_what_is_finished_is_read_back(
    opened: Callable[..., RunContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(opened(tmp_path))
    monkeypatch.delattr(_trainings, "train_subnet")
    for work in ("train_quantization_aware", "calibrate"):
        monkeypatch.delattr(_networks, work)
    again = trained(opened(tmp_path))
    assert _weights(again.int8_network) == _weights(first.int8_network)
    assert _weights(again.float_network) == _weights(first.float_network)


@pytest.mark.parametrize("work", ["train winner", "quantize winner"])
def test_killed_in_the_middle_it_ends_in_the_same_bits(
    work: str, opened: Callable[..., RunContext], checkpoint_each_step: None, tmp_path: Path
) -> None:
    undisturbed = opened(tmp_path / "undisturbed")
    trained(undisturbed)
    expected = bits(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        trained(opened(tmp_path / "run", Dying(work, 3)))
    steps: list[int] = []
    resumed = opened(tmp_path / "run", _counting(work, steps))
    assert "checkpoints/{}.pt".format(work.replace(" ", "-")) in files(resumed)
    trained(resumed)
    assert 1 not in steps
    assert steps[-1] == 4
    assert bits(resumed) == expected


def _counting(work: str, steps: list[int]) -> SilentProgress:
    progress = Dying(work, 0)
    advance = progress.advance

    def count(completed: int, note: str = "") -> None:
        if progress._title == work:
            steps.append(completed)
        advance(completed, note)

    progress.advance = count  # type: ignore[method-assign]
    return progress


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", None], ids=["empty", "other", "cut short"])
@pytest.mark.parametrize("work", ["train winner", "quantize winner"])
def test_a_damaged_checkpoint_is_one_line_and_can_be_deleted(
    work: str, damage: bytes | None, opened: Callable[..., RunContext], checkpoint_each_step: None, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(opened(tmp_path, Dying(work, 3)))
    checkpoint = tmp_path / "checkpoints" / f"{work.replace(' ', '-')}.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:300] if damage is None else damage)
    with pytest.raises(TinyNASError) as refused:
        trained(opened(tmp_path))
    assert str(refused.value).startswith(f"cannot read checkpoint {checkpoint}: delete it to start anew")
    assert "\n" not in str(refused.value)
    checkpoint.unlink()
    context = opened(tmp_path)
    trained(context)
    assert files(context) == {"winner/float.tflite", "winner.tflite"}


@pytest.mark.parametrize("place", ["checkpoints/train-winner.pt", "winner/float.tflite", "winner.tflite"])
def test_a_full_disk_is_one_line_and_then_it_continues(
    place: str, opened: Callable[..., RunContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = _networks.write_atomically

    def write_with_little_room(path: Path, content: bytes) -> None:
        with room_for(1000 if path == tmp_path / place else 1_000_000):
            write(path, content)

    for stage in (_trainings, _networks):
        monkeypatch.setattr(stage, "write_atomically", write_with_little_room)
    context = opened(tmp_path)
    with room_for(1000 if place.endswith(".pt") else 1_000_000), pytest.raises(TinyNASError) as refused:
        trained(context)
    assert str(refused.value).startswith(f"cannot write {'checkpoint ' * place.endswith('.pt')}{tmp_path / place}: ")
    assert "make room" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not context.run.file(place).exists()
    monkeypatch.undo()
    context = opened(tmp_path)
    trained(context)
    assert files(context) == {"winner/float.tflite", "winner.tflite"}


def test_a_network_that_was_changed_is_refused(opened: Callable[..., RunContext], tmp_path: Path) -> None:
    trained(opened(tmp_path))
    context = opened(tmp_path)
    context.run.file(WINNER.float_file).write_bytes(b"another")
    with pytest.raises(RunDirectoryError, match=r"float.tflite has changed since 'train winner' wrote it"):
        trained(context)
