"""A run killed anywhere continues, repeats nothing that was finished, and ends in the same winner."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_processes import comparable, journal
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.pipeline import ExportError, export_winner, write_report

CONFIG = f"""{TINY_TASK}[supernet]
steps = 12
batch_size = 16
[search]
evaluations = 6
population = 3
rounds = 2
top_candidates = 1
validation_images = 40
recalibration_images = 32
[finetune]
steps = 4
batch_size = 16
[baselines]
train = []
[quantization]
method = "qat"
steps = 3
calibration_images = 32
{TINY_MEASUREMENTS}"""


HANGS_SECONDS = 20 * 60
"""What takes longer hangs: no measurement, a machine may be slow."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("config")
    write_tiny_data(folder / "tiny.npz", side=16)
    path = folder / "tiny.toml"
    path.write_text(CONFIG)
    return path


def command(config: Path, out: Path) -> list[str]:
    start = "from tinynas.cli import main; main()"
    return [sys.executable, "-c", start, "run", str(config), "--out", str(out), "--json"]


def finish(config: Path, out: Path, processors: int = 2) -> dict[str, Any]:
    done = subprocess.run(
        command(config, out), capture_output=True, text=True, check=False, preexec_fn=use_processors(processors)
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def use_processors(count: int) -> Callable[[], None]:
    """Confine a child to some processors: a run takes as many processes as it may use."""
    allowed = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, allowed)


def kill_when(config: Path, out: Path, journal_holds: str) -> None:
    """Start the run, and kill it with SIGKILL as soon as its journal holds a text."""
    with subprocess.Popen(
        command(config, out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=use_processors(1),
    ) as process:
        wait_until(process, out, journal_holds)
        os.killpg(process.pid, signal.SIGKILL)


def wait_until(process: subprocess.Popen[Any], out: Path, journal_holds: str) -> None:
    journal = out / "journal.jsonl"
    deadline = time.monotonic() + HANGS_SECONDS
    while not (journal.is_file() and journal_holds in journal.read_text()):
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    return out, finish(config, out)


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(('"kind":"evaluation"', '"work":"refinement 1"'), id="search"),
        pytest.param(
            ('"work":"space"', '"work":"calibration-0"', '"work":"supernet"', '"work":"round-1-candidate-0"'),
            id="early",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ('"work":"selection"', '"work":"train winner"', '"work":"verify winner"', '"work":"test winner"'),
            id="late",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_killed_again_and_again_the_winner_is_the_same(
    moments: tuple[str, ...], config: Path, undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The killed run has one processor and the undisturbed one two: the result does not depend on that either."""
    out = tmp_path / "run"
    for moment in moments:
        kill_when(config, out, moment)
    result = finish(config, out, processors=1)
    reference_out, reference = undisturbed
    assert comparable(result) == comparable(reference)
    for name in ("winner.tflite", "winner/c/model.c", "supernet.pt", "latency/model-2.json"):
        assert (out / name).read_bytes() == (reference_out / name).read_bytes(), name
    finished = [record["work"] for record in journal(out) if record["kind"] == "finished"]
    assert len(finished) == len(set(finished)), "finished work was repeated"
    assert sorted(finished) == sorted(r["work"] for r in journal(reference_out) if r["kind"] == "finished")
    scored = [tuple(record["genotype"]) for record in journal(out) if record["kind"] == "evaluation"]
    assert len(scored) == len(set(scored)), "a network was scored twice"


def _notice_interrupts() -> None:
    """A shell without job control starts background commands deaf to SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupt_is_a_clean_message(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with subprocess.Popen(
        command(config, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_notice_interrupts,
    ) as process:
        wait_until(process, out, '"work":"space"')
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, errors = process.communicate(timeout=HANGS_SECONDS)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == (
        "tinynas: interrupted; what is finished is kept, the same command continues the run"
    )
    assert "Traceback" not in errors


def test_what_was_built_fits_as_predicted(undisturbed: tuple[Path, dict[str, Any]]) -> None:
    verdicts = [record for record in journal(undisturbed[0]) if record["kind"] == "verdict"]
    calibrated = [verdict for verdict in verdicts if verdict["network"].startswith("calibration-")]
    assert len(calibrated) >= 2
    assert len(verdicts) == len(calibrated) + 2 + 1  # candidates, winner
    for verdict in verdicts:
        assert verdict["agree"]
        assert verdict["predicted_sram_bytes"] == verdict["linked_sram_bytes"]
        assert verdict["predicted_flash_bytes"] == pytest.approx(verdict["linked_flash_bytes"], rel=0.01)
        assert verdict["measured_stack_bytes"] <= verdict["predicted_stack_bytes"]


def squared_errors(predicted: list[float], measured: list[float]) -> float:
    return sum((p / m - 1.0) ** 2 for p, m in zip(predicted, measured, strict=True))


def test_refinement_changes_the_predictions_and_fits_what_was_measured_at_least_as_well(
    undisturbed: tuple[Path, dict[str, Any]],
) -> None:
    """Whichever networks won: refinement minimises the squared relative errors, starting from the earlier model.

    Their mean absolute error, which the run shows, may rise: it is another norm.
    """
    refinements = [r["result"] for r in journal(undisturbed[0]) if str(r.get("work", "")).startswith("refinement")]
    assert [entry["round"] for entry in refinements] == [1, 2]
    for entry in refinements:
        before, after = (squared_errors(entry[f"predicted_{when}"], entry["measured"]) for when in ("before", "after"))
        assert after <= before + 1e-9  # rounding, where both models are exact
        assert entry["predicted_after"] != entry["predicted_before"]


def test_a_finished_run_answers_at_once(config: Path, undisturbed: tuple[Path, dict[str, Any]]) -> None:
    out, reference = undisturbed
    before = (out / "journal.jsonl").read_text()
    assert finish(config, out) == reference
    after = journal(out)
    assert after[-1]["kind"] == "continued"
    assert len(after) == len(before.splitlines()) + 1


@pytest.mark.parametrize("left", [None, "of the unfinished run"], ids=["missing", "outdated"])
def test_a_report_lost_after_the_result_is_written_again(
    left: str | None, config: Path, undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """As after a kill between journalling the result and writing the report."""
    out = tmp_path / "run"
    shutil.copytree(undisturbed[0], out)
    report = out / "report.html"
    whole = report.read_text()
    report.unlink()
    if left is not None:
        report.write_text(left)
        os.utime(report, (0, 0))
    finish(config, out)
    assert report.read_text() == whole


def test_changed_space_or_seed_is_refused(config: Path, undisturbed: tuple[Path, dict[str, Any]]) -> None:
    out, _ = undisturbed
    changed = subprocess.run([*command(config, out), "--seed", "5"], capture_output=True, text=True, check=False)
    assert changed.returncode == 2
    assert "was started with config.seed = 0, now it is 5" in changed.stderr
    assert json.loads(changed.stdout)["exit_code"] == 2


def test_the_report_is_one_file_with_every_section(undisturbed: tuple[Path, dict[str, Any]]) -> None:
    text = (undisturbed[0] / "report.html").read_text()
    for heading in (
        "Budget and feasibility",
        "Search space",
        "Memory of the winner",
        "Latency: predicted",
        "Provenance",
    ):
        assert f"<h2>{heading}" in text
    assert text.count("<svg") == 5
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?https?:", text), "the report loads something"


def test_an_unfinished_run_can_be_reported(undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    shutil.copytree(undisturbed[0], partial)
    for name in ("result.json", "search.json", "report.html"):
        (partial / name).unlink()
    text = write_report(partial).read_text()
    assert "This run is not finished" in text
    assert "<h2>Search space" in text
    assert "<h2>Memory of the winner" not in text


def test_the_final_screen_says_what_matters(config: Path, undisturbed: tuple[Path, dict[str, Any]]) -> None:
    out, result = undisturbed
    words = [word for word in command(config, out) if word != "--json"]
    screen = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"{100 * result['winner']['int8_accuracy']:.2f} % on all 40 test images" in screen
    for region in result["winner"]["regions"]:
        assert f"{region['used_bytes']:,} of {region['available_bytes']:,} bytes" in screen
    for label in (
        "winner (evolution)",
        "random search",
        "most MACs",
        "winner.tflite",
        "report.html",
        "3 images bit by",
    ):
        assert label in screen


def test_the_winner_can_be_exported(undisturbed: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    out, result = undisturbed
    assert export_winner(out, tmp_path / "w.tflite")["format"] == "tflite"
    assert (tmp_path / "w.tflite").read_bytes() == (out / "winner.tflite").read_bytes()
    with pytest.raises(ExportError, match="--force"):
        export_winner(out, tmp_path / "w.tflite")
    exported = export_winner(out, tmp_path / "project")
    assert {Path(file).name for file in exported["files"]} >= {"model.h", "model.c", "Makefile", "kernel.h"}
    header = (tmp_path / "project" / "model.h").read_text()
    assert all(label in header for label in result["model_info"]["labels"])
