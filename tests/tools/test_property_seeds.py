"""Property tests draw the same examples in every run of `make test`, and others in every run of `make fuzz`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = Path(__file__).parents[1] / "conftest.py"
_PROPERTY = """
from pathlib import Path
from hypothesis import given, settings, strategies as st

@settings(max_examples=20)
@given(st.integers(0, 1 << 60))
def test_property(value):
    with Path("examples").open("a") as file:
        file.write(f"{value} ")
"""


def _examples(folder: Path, *arguments: str) -> str:
    """What a property test draws in a process of its own."""
    (folder / "examples").unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "test_property.py"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "examples").read_text()


@pytest.mark.parametrize("ci", [True, False])
def test_examples_are_the_same_unless_asked_for_fresh_ones(
    ci: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci:  # Hypothesis takes other settings there
        monkeypatch.setenv("CI", "true")
    shutil.copy(_CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_property.py").write_text(_PROPERTY)
    first = _examples(tmp_path)
    assert len(first.split()) == 20
    assert _examples(tmp_path) == first
    fresh = _examples(tmp_path, "-m", "hypothesis", "--hypothesis-profile=fresh")
    assert fresh != first
    assert _examples(tmp_path, "--hypothesis-profile=fresh") != fresh
