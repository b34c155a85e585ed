"""One owner, one identity, whole artefacts, and work that is done once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tinynas.pipeline.run.storage import RunDirectory, RunDirectoryError, StorageError, write_atomically

IDENTITY = {"config": {"seed": 0, "search": {"evaluations": 10}}}


def test_finished_work_is_not_repeated(tmp_path: Path) -> None:
    calls = []

    def compute() -> dict[str, float]:
        calls.append(1)
        run.write("a.txt", "content")
        return {"score": 0.1}

    for _ in range(2):
        with RunDirectory(tmp_path / "run", IDENTITY) as run:
            assert run.once("work", compute, ["a.txt"]) == {"score": 0.1}
    assert len(calls) == 1


def test_work_that_died_is_repeated(tmp_path: Path) -> None:
    def die() -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), RunDirectory(tmp_path / "run", IDENTITY) as run:
        run.once("work", die)
    with RunDirectory(tmp_path / "run", IDENTITY) as run:
        assert run.once("work", lambda: {"x": 1}) == {"x": 1}


def test_changed_configuration_names_the_key(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", IDENTITY):
        pass
    changed = {"config": {"seed": 0, "search": {"evaluations": 12}}}
    with (
        pytest.raises(RunDirectoryError, match=r"config\.search\.evaluations = 10, now it is 12"),
        RunDirectory(tmp_path / "run", changed),
    ):
        pass


def test_what_joins_the_identity_later_is_held_too(tmp_path: Path) -> None:
    for _ in range(2):
        with RunDirectory(tmp_path / "run", IDENTITY) as run:
            run.identify("evaluator", "table-1")
    assert len(list(run.journal.records("identified"))) == 1
    with (
        pytest.raises(RunDirectoryError, match='was started with evaluator = "table-1", now it is "table-2": undo'),
        RunDirectory(tmp_path / "run", IDENTITY) as run,
    ):
        run.identify("evaluator", "table-2")


def test_a_part_that_is_new_and_empty_is_no_change(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", IDENTITY):
        pass
    with RunDirectory(tmp_path / "run", {**IDENTITY, "plugins": {}}):
        pass
    with (
        pytest.raises(RunDirectoryError, match=r'plugins\.more-strategies = null, now it is "1\.0"'),
        RunDirectory(tmp_path / "run", {**IDENTITY, "plugins": {"more-strategies": "1.0"}}),
    ):
        pass


def test_time_between_processes_is_not_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def takes(seconds: float) -> dict[str, int]:
        now[0] += seconds
        return {}

    with RunDirectory(tmp_path / "run", {}) as run:
        run.once("first", lambda: takes(5))
        run.once("second", lambda: takes(7))
        takes(1)
        assert run.spent_seconds() == 13
    takes(1000)
    with RunDirectory(tmp_path / "run", {}) as run:
        assert run.spent_seconds() == 12  # up to what was finished
        run.once("whole", lambda: run.once("part", lambda: takes(2)))
        assert run.spent_seconds() == 14
    with RunDirectory(tmp_path / "run", {}) as run:
        assert run.spent_seconds() == 14


def test_changed_artefact_is_noticed(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", IDENTITY) as run:
        run.once("work", lambda: run.write("a.txt", "content") or {}, ["a.txt"])
        run.write("a.txt", "other")
        with pytest.raises(RunDirectoryError, match=r"a\.txt has changed since 'work' wrote it"):
            run.finished("work")
        run.file("a.txt").unlink()
        with pytest.raises(RunDirectoryError, match="is gone"):
            run.finished("work")


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunDirectoryError, match="is not empty and holds no run"), RunDirectory(tmp_path, IDENTITY):
        pass
    assert not (tmp_path / "journal.jsonl").exists()


def test_lock_excludes_a_second_process_and_dies_with_its_owner(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from tinynas.pipeline.run.storage import RunDirectory
        with RunDirectory(Path({str(tmp_path / "run")!r}), {IDENTITY!r}):
            print("open", flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        with (
            pytest.raises(RunDirectoryError, match=f"in use by another run .process {owner.pid}."),
            RunDirectory(tmp_path / "run", IDENTITY),
        ):
            pass
        os.kill(owner.pid, signal.SIGKILL)
    with RunDirectory(tmp_path / "run", IDENTITY):
        pass


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "artefact.bin"
    write_atomically(target, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*artefact\.bin: No space left on device; make room"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["artefact.bin"]


def test_values_json_cannot_carry_are_refused(tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "run", IDENTITY) as run, pytest.raises(ValueError, match="JSON compliant"):
        run.write_json("bad.json", {"accuracy": float("nan")})
