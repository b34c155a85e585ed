"""A member of the front, exported: trained when it is asked for, killed or not, and never twice.

The search counts and minimizes MACs, so whatever it looked at is on the front, on every machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from run_processes import export_until_record, finish, journal
from tiny_data import TINY_MEASUREMENTS, TINY_TASK, write_tiny_data

from tinynas.cli import main
from tinynas.pipeline import ExportError, PickError, export_picked, export_winner
from tinynas.pipeline.report import render_report
from tinynas.pipeline.run.storage import RunDirectoryError

pytest.importorskip("torch")

CONFIG = f"""{TINY_TASK}[search]
strategy = "nsga2"
objectives = ["macs"]
evaluator = "macs"
evaluations = 6
rounds = 1
top_candidates = 1
[finetune]
steps = 6
batch_size = 16
[baselines]
random_search = false
train = []
[quantization]
method = "qat"
steps = 4
calibration_images = 32
{TINY_MEASUREMENTS}"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front")
    write_tiny_data(folder / "tiny.npz", side=16)
    (folder / "front.toml").write_text(CONFIG)
    finish(folder / "front.toml", folder / "run")
    return folder / "run"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copies of the finished run, to be exported from."""
    return lambda name: Path(shutil.copytree(finished, tmp_path / name))


def members(run: Path) -> list[dict[str, Any]]:
    """The entries of the front, the most MACs first."""
    entries = json.loads((run / "search.json").read_text())["entries"]
    return sorted(entries, key=lambda entry: -entry["score"])


def works(run: Path) -> list[str]:
    return [record["work"] for record in journal(run) if record["kind"] == "finished"]


def test_killed_or_not_the_same_member_is_exported_and_nothing_is_done_twice(
    copied: Callable[[str], Path], tmp_path: Path
) -> None:
    whole, killed = copied("whole"), copied("killed")
    front = members(whole)
    assert len(front) >= 3
    asked = [f"macs<={front[1]['cost']['macs']}, sram<=16KB"]
    before, result = works(whole), (whole / "result.json").read_bytes()
    document = export_picked(whole, tmp_path / "project", asked)
    picked = document["picked"]
    assert (picked["member"], picked["genotype"], picked["macs"]) == (2, front[1]["genotype"], front[1]["cost"]["macs"])
    assert picked["members"] == len(front)
    assert works(whole) == [*before, "train front-2", "quantize front-2", "verify front-2"]
    assert (whole / "result.json").read_bytes() == result
    built = whole / "front" / "front-2"
    assert (tmp_path / "project" / "model.c").read_text() == (built / "c" / "model.c").read_text()
    assert picked["images_compared"] == 3
    assert not list((whole / "checkpoints").glob("*"))

    for records in (1, 2, 2, 2):  # "continued", then one of the three works and the linker's verdict at a time
        export_until_record(killed, tmp_path / "never", asked, records)
    assert not (tmp_path / "never").exists()
    assert export_picked(killed, tmp_path / "killed.tflite", asked)["picked"] == picked
    assert works(killed) == works(whole)
    assert (tmp_path / "killed.tflite").read_bytes() == (built / "model.tflite").read_bytes()

    records = len(journal(whole))
    again = export_picked(whole, tmp_path / "float.onnx", asked)
    assert again["picked"] == picked
    assert [record["kind"] for record in journal(whole)[records:]] == ["continued"]


def test_a_run_of_an_earlier_version_is_not_continued_and_still_exported(
    copied: Callable[[str], Path], tmp_path: Path
) -> None:
    """It went by instructions where cycles decide now, and did not say so."""
    run = copied("run")
    records = journal(run)
    assert records[0]["identity"]["decided_by"] == {"unit": "cycles", "cycles_each": 1.0}
    del records[0]["identity"]["decided_by"]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (run / "journal.jsonl").write_text(text)
    with pytest.raises(RunDirectoryError, match="earlier version of TinyNAS, which went by instructions") as refused:
        export_picked(run, tmp_path / "no.tflite", ["sram<=16KB"])
    assert "\n" not in str(refused.value)
    assert (run / "journal.jsonl").read_text() == text
    assert "<html" in render_report(run)
    export_winner(run, tmp_path / "winner.tflite")


@pytest.mark.slow
def test_exports_change_no_report_and_no_later_choice(copied: Callable[[str], Path], tmp_path: Path) -> None:
    run, other = copied("run"), copied("other")
    report = render_report(run)
    export_picked(run, tmp_path / "all.tflite", ["flash<=64KB"])
    assert render_report(run) == report
    # A measurement that an export has left would let no member meet this.
    records = journal(run)
    for record in records:
        if record.get("work") == "verify front-1-flash-65536":
            record["result"]["macs"] = 10**12
    (run / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    refused = []
    for place in (run, other):
        with pytest.raises(PickError) as error:
            export_picked(place, tmp_path / "no.tflite", ["macs<=1, flash<=64KB"])
        refused.append(str(error.value))
    assert refused[0] == refused[1]


def test_a_member_that_does_not_link_under_the_limit_makes_way(
    copied: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied("run")
    from tinynas.boards import DoesNotFitError
    from tinynas.pipeline.run.stages import _board_work

    real, calls = _board_work.deploy, iter((True,))

    def deploy(graph: Any, board: Any, *rest: Any, **named: Any) -> Any:
        if next(calls, False):
            raise DoesNotFitError(board.name, board.code_region.name, 60 * 1024, 1)
        return real(graph, board, *rest, **named)

    monkeypatch.setattr(_board_work, "deploy", deploy)
    assert export_picked(run, tmp_path / "out.tflite", ["flash<=60KB"])["picked"]["member"] == 2


def test_a_search_that_was_changed_is_one_line(copied: Callable[[str], Path], tmp_path: Path) -> None:
    run = copied("run")
    (run / "search.json").write_text("{}")
    with pytest.raises(RunDirectoryError, match=r"search.json has changed since 'selection' wrote it"):
        export_picked(run, tmp_path / "out.tflite", ["macs<=1M"])


@pytest.mark.slow
def test_the_winner_is_not_trained_again(copied: Callable[[str], Path], tmp_path: Path) -> None:
    run = copied("run")
    before = works(run)
    assert export_picked(run, tmp_path / "picked.tflite", ["flash<=64KB"])["picked"]["member"] == 1
    assert (tmp_path / "picked.tflite").read_bytes() == (run / "winner.tflite").read_bytes()
    assert works(run) == [*before, "verify front-1-flash-65536"]


@pytest.mark.slow
def test_kernels_spend_no_more_flash_than_is_asked_for(copied: Callable[[str], Path], tmp_path: Path) -> None:
    run = copied("run")
    result = json.loads((run / "result.json").read_text())
    least = members(run)[0]["cost"]["flash_bytes"]
    most = ceil(1.01 * least)  # what is linked is predicted within one percent
    picked = export_picked(run, tmp_path / "project", [f"flash<={most}"])["picked"]
    assert (picked["member"], picked["genotype"]) == (1, result["winner"]["genotype"])
    assert picked["flash_bytes"] <= most


def test_a_run_of_other_firmware_is_not_continued(copied: Callable[[str], Path], tmp_path: Path) -> None:
    run = copied("run")
    started, *rest = journal(run)
    started["identity"]["firmware"] = "another"
    (run / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in (started, *rest)))
    with pytest.raises(RunDirectoryError, match="was started with firmware"):
        export_picked(run, tmp_path / "out.tflite", ["macs<=1M"])


def exit_line(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as done:
        main(["export", *words])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return int(done.value.code or 0), captured.err


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("latency<=1us", "no member of the front has latency<=1us; the closest of "),
        ("instructions<=2M", "this run goes by cycles (Cortex-M4 TRM timings"),
        ("sran<=12KB", "did you mean 'sram'?"),
        ("sram=12KB", "is no condition"),
        ("sram<=10", "no member of the front has sram<=10; the closest of "),
    ],
)
def test_what_cannot_be_picked_is_one_line_and_leaves_the_run_alone(
    condition: str, said: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    works_before = works(finished)
    code, line = exit_line(capsys, str(finished), str(tmp_path / "out"), "--pick", condition)
    assert (code, said in line) == (2, True), line
    assert works(finished) == works_before
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_front_an_unfinished_one_and_a_file_are_refused(
    copied: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = copied("run"), str(tmp_path / "out")
    code, line = exit_line(capsys, str(run / "winner.tflite"), out, "--pick", "macs<=1M")
    assert (code, "--pick takes a run" in line) == (2, True)
    started, *rest = journal(run)
    started["identity"]["config"]["search"] |= {"strategy": "evolution", "objectives": ["latency", "sram_bytes"]}
    (run / "journal.jsonl").write_text("".join(json.dumps(record) + "\n" for record in (started, *rest)))
    with pytest.raises(PickError, match="there is no front to pick from"):
        export_picked(run, tmp_path / "out", ["macs<=1M"])
    (run / "result.json").unlink()
    for unfinished in (lambda: export_picked(run, tmp_path / "out", ["macs<=1M"]), lambda: export_winner(run, run)):
        with pytest.raises(ExportError, match="holds no finished run"):
            unfinished()


def test_the_command_says_what_was_picked(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("export", str(finished), str(tmp_path / "w.tflite"), "--pick", "flash<=64KB", "--pick", "macs<=100M")
    with pytest.raises(SystemExit) as done:
        main([*words])
    assert done.value.code == 0
    assert f"member 1 of {len(members(finished))} of the front: " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words, "--json", "--force"])
    document = json.loads(capsys.readouterr().out)
    assert (document["format"], document["picked"]["member"]) == ("tflite", 1)
