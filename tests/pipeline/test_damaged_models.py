"""Damaged model files through everything that reads them: `benchmarks/fuzz_tflite.py` in small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinynas.formats import write_tflite
from tinynas.testing import FileDamager, random_int8_graph

_FUZZER = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_tflite.py"


def _fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_FUZZER), "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_damaged_file_ends_in_a_result_or_a_line() -> None:
    result = _fuzz("--inputs", "200", "--jobs", "1")
    assert result.returncode == 0, result.stderr
    tally = json.loads(result.stdout)["generated"]
    assert tally["findings"] == {}
    assert sum(tally["outcomes"].values()) == 200
    assert min(tally["outcomes"]["refused"], tally["outcomes"]["read and inspected"]) > 20
    assert tally["peak_bytes"] < 1 << 30


@pytest.mark.parametrize(
    ("broken", "finding"),
    [
        ("raise KeyError(3)", "KeyError"),
        ("while True: pass", "more than"),
        ("bytearray(1 << 31)", "MemoryError"),
        ("import os; os._exit(7)", "exit code 7"),
        ("raise fuzz_tflite.TinyNASError('two' + chr(10) + 'lines of text')", "characters"),
        ("import warnings; warnings.warn('odd', stacklevel=1)", "UserWarning"),
    ],
)
def test_what_the_fuzzer_is_for_is_found(broken: str, finding: str, tmp_path: Path) -> None:
    """Each kind of failure, planted where inputs are used."""
    (tmp_path / "fuzz_broken.py").write_text(
        f"import sys\nsys.path.insert(0, {str(_FUZZER.parent)!r})\nimport fuzz_tflite\n"
        f"def use(path, folder):\n    {broken}\n"
        "fuzz_tflite.use, fuzz_tflite.SECONDS = use, 1.0\n"
        "if __name__ == '__main__':\n    sys.exit(fuzz_tflite.main())\n"
    )
    command = [sys.executable, str(tmp_path / "fuzz_broken.py"), "--inputs", "1", "--jobs", "1"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stderr
    assert finding in result.stderr


def test_damage_is_a_function_of_the_number_and_of_all_kinds() -> None:
    content = write_tflite(random_int8_graph(np.random.default_rng(0), operators=6))
    damager = FileDamager(content)

    def damaged() -> list[bytes]:
        return [damager.damaged(np.random.default_rng(number)) for number in range(60)]

    files = damaged()
    assert files == damaged()
    assert len(set(files)) > 55
    assert write_tflite(random_int8_graph(np.random.default_rng(0), operators=6)) == content
