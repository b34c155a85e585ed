"""The JSON of each command has exactly the documented keys, and what commands write is what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import call

from tinynas.cli import main
from tinynas.latency import diverse_networks


def test_calibrate_with_too_few_networks_keeps_the_model_and_names_what_it_did_not_measure(
    model: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from tinynas.pipeline.commands import _calibrate_board

    monkeypatch.setattr(_calibrate_board, "FIT_NETWORKS", 2)
    monkeypatch.setattr(_calibrate_board, "HOLDOUT_NETWORKS", 2)
    monkeypatch.setattr(_calibrate_board, "calibration_networks", diverse_networks)
    path = tmp_path / "latency.json"
    words = ("calibrate", "--board", "nucleo-f303k8", "--virtual", "--out", str(path))
    code, document, _ = call(capsys, *words)
    assert code == 0
    assert set(document) == {"measurements", "decided_by", "fit", "holdout", "file"}
    decided = {"unit": "cycles", "basis": "Cortex-M4 TRM timings, zero wait states (model)"}
    assert document["decided_by"] == decided
    written = json.loads(path.read_text())
    assert {key: written[key] for key in decided} == decided
    beside = written["instructions"]
    assert (beside["unit"], beside["basis"]) == ("instructions", "counted by the virtual board")
    assert beside["variants"].keys() == written["variants"].keys()
    holdout = document["holdout"]
    assert set(holdout) == {
        "networks",
        "mape",
        "within_10pct",
        "spearman",
        "coverage_90",
        "half_width",
        "never_measured",
    }
    assert holdout["never_measured"]
    assert holdout["networks"] < 2
    assert f"never measured on this board: {', '.join(holdout['never_measured'])}" in caplog.text
    assert json.loads(path.read_text())["holdout"] == holdout
    with pytest.raises(SystemExit) as done:
        main(list(words))
    assert not done.value.code
    capsys.readouterr()

    inspect = ("inspect", str(model), "--board", "nucleo-f303k8", "--latency", str(path))
    caplog.clear()
    assert call(capsys, *inspect)[0] in (0, 1)
    assert "latency.json is stale" not in caplog.text
    stale = json.loads(path.read_text())
    stale["provenance"]["sources"]["conv_1x1"] = "0"
    path.write_text(json.dumps(stale))
    assert call(capsys, *inspect)[0] in (0, 1)
    assert "latency model latency.json is stale" in caplog.text


def test_space_ranks_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "space.svg"
    code, document, _ = call(
        capsys,
        *("space", "--board", "nucleo-f303k8", "--space", "mobile-tiny", "--samples", "20"),
        *("--input-channels", "1", "--classes", "10", "--plot", str(plot)),
    )
    assert code == 0
    assert set(document) == {"configurations", "chosen", "criterion", "too_small"}
    assert {frozenset(entry) for entry in document["configurations"]} == {
        frozenset({"width", "resolution", "samples", "share_fits", "mean_macs", "p80_macs", "score"})
    }
    _, compared, _ = call(
        capsys,
        *("space", "--board", "nucleo-f303k8", "--space", "mobile-tiny", "--samples", "5", "--compare-schedules"),
        *("--input-channels", "1", "--classes", "10", "--plot", str(plot)),
    )
    assert set(compared) == {"configurations", "chosen", "criterion", "schedules", "too_small"}
    assert {frozenset(entry) for entry in compared["schedules"]} == {
        frozenset({"name", "title", "chosen", "share_fits", "mean_macs", "p80_macs", "mean_arena_bytes", "score"})
    }
    best = document["configurations"][0]
    assert document["chosen"] == {"width": best["width"], "resolution": best["resolution"]}
    assert plot.read_text().startswith("<svg")


def test_space_in_which_nothing_fits_is_exit_1_with_the_nearest_miss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document, error = call(
        capsys,
        *("space", "--board", "nucleo-f303k8", "--space", "mobile-tiny", "--samples", "5", "--sram", "512"),
        *("--plot", str(tmp_path / "space.svg")),
    )
    assert code == 1
    assert "the nearest, at width" in document["error"]
    assert "too few" in document["error"]
    assert document["error"] in error


def test_figures_of_stale_memory_models_are_said_to_be_so(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinynas.memory._model_files.kernel_hashes", dict)
    call(capsys, "export", str(model), str(tmp_path / "project"))
    assert len(caplog.messages) == 2  # one line a toolchain
    assert all("stale" in line and "native-cortex-m4f-" in line for line in caplog.messages)
