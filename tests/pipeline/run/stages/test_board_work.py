"""A network on the board: what is predicted is kept beside what was linked, and what goes wrong is one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinynas.boards import DoesNotFitError
from tinynas.errors import ExternalError
from tinynas.pipeline._progress import SilentProgress
from tinynas.pipeline.run import RunConfig
from tinynas.pipeline.run.storage import RunDirectory
from tinynas.spaces import load_space
from tinynas.targets import load_board
from tinynas.training import Dataset, Split

pytest.importorskip("torch")

from tinynas.pipeline.run.stages import _board_work
from tinynas.pipeline.run.stages._board_work import VerdictMismatch, build_and_measure
from tinynas.pipeline.run.stages._context import RunContext

# The memory model: 500 bytes of SRAM, at most 90 of stack, 2000 of flash, and all of it fits.
MEMORY = SimpleNamespace(
    sram=lambda schedule, reserve: SimpleNamespace(static_bytes=500, stack_bytes=90),
    flash=lambda schedule, reserve: SimpleNamespace(total_bytes=2000),
    fits=lambda schedule, reserve: SimpleNamespace(fits=True),
)
Measure = Callable[..., Any]


@pytest.fixture
def context(tmp_path: Path) -> Iterator[RunContext]:
    config = RunConfig.model_validate({"board": "nucleo-f303k8", "data": {"dataset": "own"}})
    split = Split(np.zeros((2, 16, 16, 1), np.uint8), np.arange(2))
    data = Dataset("own", split, split, split, ("a", "b"))
    with RunDirectory(tmp_path, {}) as run:
        yield RunContext(config, load_board("nucleo-f303k8"), load_space("mobile-tiny"), data, run, SilentProgress(), 1)


@pytest.fixture
def measured(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Measures a network that takes so much stack, gives so many wrong outputs, or does not link."""

    def measure(*, stack: int = 80, mismatches: int = 0, links: bool = True) -> Any:
        def deploy(*words: object, **options: object) -> Any:
            if not links:
                raise DoesNotFitError("nucleo-f303k8", "flash", 65_536, 12)
            firmware = SimpleNamespace(static_sram_bytes=500, flash_bytes=2004, elf=b"")
            return SimpleNamespace(schedule="lowered", firmware=firmware)

        answer = SimpleNamespace(mismatches=mismatches, memory=SimpleNamespace(stack_used_bytes=stack))
        monkeypatch.setattr(_board_work, "deploy", deploy)
        monkeypatch.setattr(_board_work, "measure", lambda *words, **options: answer)
        return build_and_measure(context, MEMORY, "candidate", None, np.zeros((4, 1), np.int8), folder="candidates/0")

    return measure


@pytest.mark.parametrize(("stack", "agree"), [(90, True), (91, False)])
def test_predictions_are_kept_beside_what_was_linked(
    stack: int, agree: bool, measured: Measure, context: RunContext
) -> None:
    assert measured(stack=stack).deployment.schedule == "lowered"
    (verdict,) = context.run.journal.records("verdict")
    assert {name: value for name, value in verdict.items() if name not in ("kind", "time")} == {
        "network": "candidate",
        "predicted_fits": True,
        "linked": True,
        "predicted_sram_bytes": 500,
        "linked_sram_bytes": 500,
        "predicted_flash_bytes": 2000,
        "linked_flash_bytes": 2004,
        "predicted_stack_bytes": 90,
        "measured_stack_bytes": stack,
        "agree": agree,
    }
    assert context.run.file("candidates/0").is_dir()


def test_a_network_that_is_measured_again_has_one_verdict(measured: Measure, context: RunContext) -> None:
    """As after a kill between the verdict and the end of the work."""
    measured()
    measured()
    assert len(list(context.run.journal.records("verdict"))) == 1


def test_a_network_that_does_not_link_names_the_model_to_fit_again(measured: Measure, context: RunContext) -> None:
    with pytest.raises(VerdictMismatch) as refused:
        measured(links=False)
    line = str(refused.value)
    assert line.startswith("candidate was predicted to fit nucleo-f303k8, but the firmware does not fit")
    assert "region 'flash' holds 65536 bytes and 12 more are needed" in line
    assert line.endswith("tools/regenerate_memory_model.py --board nucleo-f303k8 --toolchain zig --virtual")
    assert "\n" not in line
    assert list(context.run.journal.records("verdict")) == []


def test_wrong_outputs_are_one_line_and_no_verdict(measured: Measure, context: RunContext) -> None:
    with pytest.raises(ExternalError, match=r"^candidate: 3 of 4 outputs of the board differ from the reference"):
        measured(mismatches=3)
    assert list(context.run.journal.records("verdict")) == []
