"""Runs on a board in which no network of the space fits as shapes alone decide: in patches, or with less scratch."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tiny_data import write_tiny_data

from tinynas.pipeline import export_winner, load_config, run_pipeline
from tinynas.pipeline.run.stages._feasibility import InfeasibleRun

CONFIG = """
board = "nucleo-f303k8"
[data]
dataset = "tiny.npz"
holdout = 40
[space]
name = "mobile-tiny"
widths = [1.0]
resolutions = [28]
samples = 20
[supernet]
steps = 8
batch_size = 16
[search]
evaluations = 4
population = 2
rounds = 1
top_candidates = 1
validation_images = 40
recalibration_images = 32
[finetune]
steps = 3
batch_size = 16
[baselines]
train = []
[quantization]
calibration_images = 32
[measure]
calibration_networks = 2
images = 2
[reserve]
sram_bytes = {reserve}
[engine]
patches = {patches}
streams = false
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("patched")
    write_tiny_data(folder / "tiny.npz", side=28)
    for name, patches, reserve in (("true", "true", 6000), ("false", "false", 6000), ("scratch", "false", 5152)):
        (folder / f"{name}.toml").write_text(CONFIG.format(patches=patches, reserve=reserve))
    return folder


def test_without_patches_nothing_fits(folder: Path) -> None:
    """The verdict says what was given up already, and that rows, which the configuration refuses, would do."""
    with pytest.raises(InfeasibleRun, match=r"too few.*; with \[engine\] streams = true it fits"):
        run_pipeline(load_config(folder / "false.toml"), folder / "plain")
    verdict = json.loads((folder / "plain" / "budget.json").read_text())["verdict"]
    assert "even with kernels of less scratch, region 'sram'" in verdict


@pytest.mark.slow
def test_with_patches_the_winner_is_found_built_measured_and_exported(folder: Path) -> None:
    out = folder / "run"
    result = run_pipeline(load_config(folder / "true.toml"), out)
    winner = result["winner"]
    assert winner["patches"]["patches"] > 1
    assert result["verdicts"]["agree"] == result["verdicts"]["networks"]
    verdict = next(
        record
        for record in map(json.loads, (out / "journal.jsonl").read_text().splitlines())
        if record["kind"] == "verdict" and record["network"] == "winner"
    )
    assert verdict["predicted_sram_bytes"] == verdict["linked_sram_bytes"]
    assert verdict["predicted_flash_bytes"] == verdict["linked_flash_bytes"]
    built = (out / "winner" / "c" / "model.c").read_text()
    assert len(re.findall(r"rows \d+ to \d+", built)) >= winner["patches"]["layers"] * winner["patches"]["patches"]
    layers = winner["kernels"]["layers"]
    assert len(layers[0]["steps"]) == winner["patches"]["patches"]
    assert all(f" * {layer['reason']} */\n    STEP({layer['variant']});" in built for layer in layers)
    assert "Kernels of the winner" in (out / "report.html").read_text()
    export_winner(out, folder / "exported")
    assert (folder / "exported" / "model.c").read_text() == built


@pytest.mark.parametrize("stream_input", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_row_by_row_the_winner_is_found_built_measured_and_exported(folder: Path, stream_input: bool) -> None:
    text = (folder / "false.toml").read_text().replace("streams = false", "streams = true")
    path = folder / f"rows{stream_input}.toml"
    path.write_text(text + ("stream_input = true\n" if stream_input else ""))
    out = folder / f"rows{stream_input}"
    result = run_pipeline(load_config(path), out)
    winner = result["winner"]
    assert winner["patches"] is None
    assert winner["streams"]
    assert winner["streams"][0]["pushed"] is stream_input
    assert result["verdicts"]["agree"] == result["verdicts"]["networks"]
    assert "row by row" in (out / "report.html").read_text()
    export_winner(out, folder / f"exported{stream_input}")
    text = (folder / f"exported{stream_input}" / "model.c").read_text()
    assert text == (out / "winner" / "c" / "model.c").read_text()
    assert ("model_push_row" in text) is stream_input


@pytest.mark.slow
def test_with_less_scratch_the_winner_is_found_built_measured_and_exported(folder: Path) -> None:
    """The columns of the stem are what does not fit, in every network: the costs of all are of a slower kernel."""
    out = folder / "less"
    result = run_pipeline(load_config(folder / "scratch.toml"), out)
    winner = result["winner"]
    assert winner["patches"] is None
    assert winner["arena_limit_bytes"] == 12256 - 5152
    assert result["verdicts"]["agree"] == result["verdicts"]["networks"] >= 2
    given_up = [layer for layer in winner["kernels"]["layers"] if layer["scratch_given_up"]]
    assert [layer["local"] for layer in given_up][:1] == ["conv_2d_im2col"]
    assert all("does not fit" in layer["reason"] for layer in given_up)
    export_winner(out, folder / "exported less")
    assert (folder / "exported less" / "model.c").read_text() == (out / "winner" / "c" / "model.c").read_text()
