"""The journal loses nothing that it acknowledged, and only what was torn when the process died."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.pipeline.run.storage import Journal, JournalError


def test_records_survive_reopening(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("scored", genotype=[1, 2], score=0.5)
    journal.append("scored", genotype=[2, 2], score=0.25)
    reopened = Journal(tmp_path / "journal.jsonl")
    assert [record["score"] for record in reopened.records("scored")] == [0.5, 0.25]
    assert reopened.last("scored", genotype=[1, 2]) == journal.last("scored", genotype=[1, 2])
    assert reopened.last("absent") is None


@settings(deadline=None, max_examples=30)  # every append waits for the disk
@given(torn=st.integers(1, 1000))
def test_any_torn_tail_loses_only_the_last_record(tmp_path_factory: pytest.TempPathFactory, torn: int) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    journal = Journal(path)
    for index in range(3):
        journal.append("work", index=index)
    whole = path.read_bytes()
    last = len(whole.splitlines()[-1]) + 1
    path.write_bytes(whole[: len(whole) - min(torn, last)])
    reopened = Journal(path)
    assert [record["index"] for record in reopened.records("work")] == [0, 1]
    reopened.append("work", index=2)
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [0, 1, 2]


def test_damage_before_the_end_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("a")
    journal.append("b")
    path.write_bytes(b"?" + path.read_bytes())
    with pytest.raises(JournalError, match="line 1 is damaged"):
        Journal(path)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    """A file size limit makes the kernel cut a write short, as a full disk does."""
    program = textwrap.dedent(
        f"""
        import resource
        from pathlib import Path
        from tinynas.errors import ExternalError
        from tinynas.pipeline.run.storage import Journal
        path = Path({str(tmp_path / "journal.jsonl")!r})
        journal = Journal(path)
        journal.append("kept", text="x" * 500)
        resource.setrlimit(resource.RLIMIT_FSIZE, (800, {resource.RLIM_INFINITY}))
        try:
            journal.append("lost", text="y" * 500)
        except ExternalError as error:
            assert journal.last("lost") is None
            print(error)
        """
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.count("\n") == 1
    assert "make room" in result.stdout
    reopened = Journal(tmp_path / "journal.jsonl")
    assert reopened.last("kept") is not None
    assert reopened.last("lost") is None
