"""The frame of the command line: exit codes, one line per error, `--json`, `--debug`, fast help."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tinynas.cli import main
from tinynas.errors import AnswerIsNo, ExternalError, UsageError


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    return int(exit_.value.code or 0)


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    program = (
        "import sys; from tinynas.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as done: assert not done.code\n"
        "heavy = {'torch', 'matplotlib', 'scipy', 'unicorn', 'numpy', 'ai_edge_litert'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for command in ("run", "space", "inspect", "measure", "calibrate", "export", "boards", "list", "data", "report"):
        assert f"  {command} " in result.stdout


def test_boards_as_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("boards") == 0
    assert "nucleo-f303k8" in capsys.readouterr().out
    assert call("boards", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    board = next(entry for entry in document["boards"] if entry["name"] == "nucleo-f303k8")
    assert {region["name"]: region["size_bytes"] for region in board["regions"]} == {
        "flash": 65536,
        "ccm": 4096,
        "sram": 12288,
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("inspect",), "Missing argument"),
        (("boards", "--colour"), "No such option: --colour"),
        (("run", "absent.toml"), "cannot read configuration absent.toml: No such file or directory"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    words: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.startswith("tinynas: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(("kind", "code"), [(AnswerIsNo, 1), (UsageError, 2), (ExternalError, 3)])
def test_error_families_have_their_exit_codes(
    kind: type[Exception], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise kind("what happened,\nand where")

    monkeypatch.setattr("tinynas.targets.board_names", fail)
    assert call("boards", "--json") == code
    captured = capsys.readouterr()
    assert captured.err == "tinynas: what happened, and where\n"
    assert json.loads(captured.out) == {"error": "what happened, and where", "exit_code": code}
    assert call("boards", "--debug") == code
    assert "Traceback" in capsys.readouterr().err


def test_interrupt_is_130_and_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynas.targets.board_names", interrupt)
    assert call("boards") == 130
    assert capsys.readouterr().err == "tinynas: interrupted\n"


@pytest.mark.parametrize("pick", [("--pick", "macs<=1M"), ("--pick=macs<=1M",)])
def test_an_interrupted_pick_is_continued_by_the_same_command(
    pick: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tinynas.pipeline.export_picked", interrupt)
    assert call("export", str(tmp_path), str(tmp_path / "out"), *pick) == 130
    assert "the same command continues the run" in capsys.readouterr().err


def test_full_disk_anywhere_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model.c")

    monkeypatch.setattr("tinynas.targets.board_names", full)
    assert call("boards") == 3
    assert (
        capsys.readouterr().err == "tinynas: cannot write model.c: No space left on device; make room and try again\n"
    )


def test_programming_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tinynas.targets.board_names", broken)
    with pytest.raises(SystemExit) as stopped:
        main(["boards"])
    assert stopped.value.code == 70  # 1 would say that the answer is no
    assert "Traceback" in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "boards")

    monkeypatch.setattr("tinynas.targets.board_names", denied)
    with pytest.raises(SystemExit) as stopped:
        main(["boards"])
    assert stopped.value.code == 3
    assert capsys.readouterr().err == "tinynas: cannot use boards: Permission denied; mend that and try again\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    program = "from tinynas.cli import main; main(['boards'])"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
