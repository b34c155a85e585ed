"""The program that builds the table: it goes on from a killed one, and says in one line what it lacks."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import build_nas_table
import pytest
from build_nas_table import main, read_work
from nas_table.costs import COSTS, costs_of
from nas_table.provenance import costs_provenance
from nas_table.space import TableSpace
from nas_table.table import SEEDS, STEPS, Row, Trained, Training, load_rows, read_provenance, write_table

from tinynas.errors import UsageError

HEADER: dict[str, object] = {"recipe": {"steps": [1]}, "data": "digest"}
DONE = {Training((0, 8, 1, 0, 16, 1), seed, 50): Trained(4000, 8000, 1.5) for seed in (0, 1)}
LINES = [json.dumps(HEADER), *(json.dumps([*training, asdict(trained)]) for training, trained in DONE.items())]
WHOLE = "".join(line + "\n" for line in LINES)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (0, 0),
        (1, 0),
        (len(LINES[0]), 0),
        (len(LINES[0]) + 1, 1),
        (len(LINES[0]) + 5, 1),
        (len(WHOLE) - 1, 2),
        (len(WHOLE), 3),
    ],
)
def test_what_was_written_to_its_end_is_gone_on_from(written: int, lines: int, tmp_path: Path) -> None:
    work = tmp_path / "work" / "table.jsonl"
    assert read_work(work, HEADER) == {}
    work.write_text(WHOLE[:written])
    for _ in range(2):
        assert read_work(work, HEADER) == dict(list(DONE.items())[: max(0, lines - 1)])
        assert work.read_text() == "".join(line + "\n" for line in LINES[:lines])


def test_a_work_file_of_another_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text(WHOLE)
    with pytest.raises(SystemExit, match="is of another recipe, space or data set: delete it"):
        read_work(tmp_path / "work", {**HEADER, "data": "other"})


@pytest.mark.parametrize("line", ["[1, 2", "7", '[[0], 0, 50, {"correct": 3}]'])
def test_a_damaged_line_of_a_work_file_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "work").write_text(f"{LINES[0]}\n{LINES[1]}\n{line}\n{LINES[2]}\n")
    with pytest.raises(SystemExit, match="line 3 is damaged: delete all from it on, and run again"):
        read_work(tmp_path / "work", HEADER)


@pytest.mark.parametrize("content", [None, "no JSON"])
def test_costs_cannot_be_put_right_without_the_provenance(content: str | None, tmp_path: Path) -> None:
    trained = {(seed, steps): Trained(4000 + seed, 8000 + steps, 0.25) for seed in SEEDS for steps in STEPS}
    write_table(tmp_path, [Row(TableSpace().smallest(), dict.fromkeys(COSTS, 1), trained)], {})
    path = tmp_path / "provenance.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UsageError, match=r"provenance.json: restore it"):
        main(["--costs-only", "--out", str(tmp_path)])


def test_new_costs_say_what_they_follow_from_and_keep_the_rest(tmp_path: Path) -> None:
    space = TableSpace()
    trained = {(seed, steps): Trained(4000 + seed, 8000 + steps, 0.25) for seed in SEEDS for steps in STEPS}
    genotypes = (space.smallest(), space.largest())
    made = {"recipe": {"steps": [1]}, "costs": {"firmware_sha256": "old"}, "processor": "of the trainings"}
    write_table(tmp_path, [Row(g, dict.fromkeys(COSTS, 1), trained) for g in genotypes], made)
    main(["--costs-only", "--out", str(tmp_path)])
    assert load_rows(tmp_path) == [Row(g, costs_of(space, g), trained) for g in genotypes]
    assert read_provenance(tmp_path) == {**made, "costs": costs_provenance()}


def test_without_the_data_set_it_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = str(build_nas_table.__file__)
    options = ["--data", str(tmp_path / "none"), "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [program, *options])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(program, run_name="__main__")
    line = str(ended.value.code)
    assert line.startswith("error: ")
    assert "fashion-mnist" in line
    assert "\n" not in line
    assert not (tmp_path / "out").exists()
