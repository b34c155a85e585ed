"""What is wrong outside of the program is one line that says what to do, in text and as JSON, with its exit code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import call

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import with_random_constants


def test_exports_that_make_no_sense(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        ((str(model), "out.onnx"), "float network of a finished run"),
        ((str(tmp_path / "absent.tflite"), "out"), "no such file or directory"),
        ((str(model), "out", "--kernels", "cmsis-nn"), "--kernels goes with --offline-plan"),
        ((str(model), "out", "--prefix", "stdint"), "would hide the standard header"),
        ((str(model), "out", "--toolchain", "gcc"), "go with --board"),
        ((str(model), "out.tflite", "--offline-plan", "--board", "virt-m4"), "--board goes with a folder"),
        ((str(model), "out", "--board", "virt-m"), "unknown board"),
        ((str(model), "out", "--board", "nucleo-f303k8", "--reserve-flash", "99999"), "65,536 bytes of flash in all"),
        ((str(tmp_path), "out", "--board", "virt-m4"), "--board takes a .tflite file"),
    ):
        code, document, _ = call(capsys, "export", words[0], str(tmp_path / words[1]), *words[2:])
        assert code == 2
        assert expected in document["error"]
        assert not (tmp_path / words[1]).exists()


def test_boards_and_models_that_do_not_exist(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    code, document, error = call(capsys, "inspect", str(model), "--board", "nucleo-f303")
    assert (code, error.count("\n")) == (2, 1)
    assert "nucleo-f303k8" in document["error"]
    code, document, _ = call(capsys, "inspect", str(tmp_path / "absent.tflite"), "--board", "virt-m4")
    assert code == 2
    assert "absent.tflite" in document["error"]


def test_truncated_model(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(model.read_bytes()[:700])
    code, document, error = call(capsys, "inspect", str(broken), "--board", "virt-m4")
    assert (code, error.count("\n")) == (2, 1)
    assert "broken.tflite" in document["error"]


def test_float_model_is_refused_by_the_engine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    builder = GraphBuilder("float")
    x = builder.input((1, 4, 4, 1))
    path = tmp_path / "float.tflite"
    write_tflite(builder.build([builder.max_pool_2d(x, (2, 2), name="pool")]), path)
    code, document, _ = call(capsys, "measure", str(path), "--board", "virt-m4", "--virtual")
    assert code == 2
    assert "quantize the model first" in document["error"]


def test_measure_needs_to_know_where(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    for words in ((), ("--virtual", "--port", "loop://")):
        code, document, _ = call(capsys, "measure", str(model), "--board", "virt-m4", *words)
        assert code == 2
        assert "either --virtual or --port" in document["error"]


def test_wrong_inputs(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 12, 12, 2), np.float32))
    code, document, _ = call(
        capsys, "measure", str(model), "--board", "virt-m4", "--virtual", "--input", str(tmp_path / "x.npy")
    )
    assert code == 2
    assert "int8" in document["error"]
    np.save(tmp_path / "x.npy", np.zeros((2, 12, 3), np.int8))
    code, document, _ = call(
        capsys, "measure", str(model), "--board", "virt-m4", "--virtual", "--input", str(tmp_path / "x.npy")
    )
    assert code == 2
    assert "[12, 12, 2]" in document["error"]
    (tmp_path / "x.npy").write_text("no array")
    code, document, error = call(
        capsys, "measure", str(model), "--board", "virt-m4", "--virtual", "--input", str(tmp_path / "x.npy")
    )
    assert (code, document["error"]) == (2, f"cannot read inputs {tmp_path / 'x.npy'}: not a .npy file of numbers")
    assert "firmware" not in error


def test_missing_compiler(
    capsys: pytest.CaptureFixture[str], model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, document, error = call(capsys, "measure", str(model), "--board", "virt-m4", "--virtual", "--toolchain", "gcc")
    assert code == 3
    assert "arm-none-eabi-gcc" in document["error"]
    assert "tinynas: " in error


def test_missing_data_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("TINYNAS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text('board = "nucleo-f303k8"\n[data]\ndataset = "cifar10"\n')
    code, document, _ = call(capsys, "run", "run.toml")
    assert code == 3
    assert "tinynas data fetch cifar10" in document["error"]
    assert not (tmp_path / "runs").exists()


def _configure_run(folder: Path, settings: str, board: str = "nucleo-f303k8") -> None:
    """A run of a board, small by default, on black images, with further settings."""
    x, y = np.zeros((40, 16, 16), np.uint8), np.arange(40) % 2
    np.savez(folder / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    text = f'board = "{board}"\n[data]\ndataset = "d.npz"\nholdout = 10\n'
    (folder / "run.toml").write_text(text + settings)


def test_infeasible_run_is_answered_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    _configure_run(tmp_path, "[reserve]\nsram_bytes = 12000\n")
    out = tmp_path / "run"
    for _ in range(2):  # the answer is remembered
        code, document, error = call(capsys, "run", str(tmp_path / "run.toml"), "--out", str(out))
        assert code == 1
        assert "no network of space" in document["error"]
        assert "'sram'" in document["error"]
        assert "too few" in document["error"]
        assert "supernet" not in error
    assert not (out / "supernet.pt").exists()


def test_report_and_export_without_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, document, _ = call(capsys, "report", str(tmp_path))
    assert (code, "holds no run" in document["error"]) == (2, True)
    code, document, _ = call(capsys, "export", str(tmp_path), str(tmp_path / "out"))
    assert (code, "holds no finished run" in document["error"]) == (2, True)


def test_a_latency_limit_that_nothing_meets_is_answered_before_anything_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    _configure_run(tmp_path, "[limits]\ninstructions = 5000\n[measure]\ncalibration_networks = 2\n")
    out = tmp_path / "run"
    code, document, _ = call(capsys, "run", str(tmp_path / "run.toml"), "--out", str(out))
    assert code == 1
    assert "the limit is 5,000" in document["error"]
    assert not (out / "supernet.pt").exists()


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("latency_ms = 5", "limits.latency_ms: the virtual virt-m7 counts instructions"),
        ("cycles = 5", "limits.cycles: the virtual virt-m7 counts instructions"),
    ],
)
def test_a_limit_in_what_nobody_knows_leaves_the_folder_to_the_next_try(
    limit: str, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "run"
    _configure_run(tmp_path, f"[limits]\n{limit}\n", board="virt-m7")
    code, document, _ = call(capsys, "run", str(tmp_path / "run.toml"), "--out", str(out))
    assert (code, said in document["error"], out.exists()) == (2, True, False)
    assert "give limits.instructions instead" in document["error"]


def test_names_of_operators_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not as the markup of the terminal's tables, which `[/]` would end before it began."""
    builder = GraphBuilder(dtype=DType.INT8)
    graph = builder.build([builder.max_pool_2d(builder.input((1, 4, 4, 1)), 2, name="[/][red]pool[0]")])
    path = tmp_path / "net.tflite"
    write_tflite(with_random_constants(graph, seed=0), path)
    for words in (["inspect"], ["inspect", "--engine", "tflm"], ["inspect", "--why"], ["measure", "--virtual"]):
        with pytest.raises(SystemExit) as done:
            main([words[0], str(path), "--board", "virt-m4", *words[1:]])
        assert not done.value.code
        assert "[/][red]pool[0]" in capsys.readouterr().out
    with pytest.raises(SystemExit) as done:
        main(["export", str(path), str(tmp_path / "[red]c")])
    assert not done.value.code
    assert "[red]c/model.h" in capsys.readouterr().out
