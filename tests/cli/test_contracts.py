"""The JSON of each command has exactly the documented keys, and what commands write is what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import call

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import DType, Graph, GraphBuilder, count_macs, execute
from tinynas.latency import diverse_networks, with_random_constants
from tinynas.testing import run_tflm

INSPECT_KEYS = {
    "": {
        *("macs", "params", "sram", "flash", "regions", "latency", "fits", "reasons", "ops", "memory"),
        *("schedule", "kernels"),
    },
    "sram": {
        "arena_bytes",
        "arena_lower_bound_bytes",
        "minimum_arena_bytes",
        "persistent_bytes",
        "runtime_bytes",
        "stack_bytes",
        "total_bytes",
        "available_bytes",
    },
    "flash": {"weights_bytes", "code_bytes", "total_bytes", "available_bytes"},
    "latency": {
        *("predicted_cycles", "predicted_ms", "low_ms", "high_ms", "basis"),
        *("predicted_instructions", "low_instructions", "high_instructions"),
    },
}


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
    assert set(document) == {"measurements", "fit", "holdout", "file"}
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
    stale["provenance"]["firmware_sha256"] = "0"
    path.write_text(json.dumps(stale))
    assert call(capsys, *inspect)[0] in (0, 1)
    assert "latency model latency.json is stale" in caplog.text


@pytest.mark.parametrize("engine", ["native", "tflm"])
def test_inspect(engine: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = call(capsys, "inspect", str(model), "--board", "nucleo-f303k8", "--engine", engine)
    assert set(document) == INSPECT_KEYS[""]
    for part in ("sram", "flash", "latency"):
        assert set(document[part]) == INSPECT_KEYS[part]
    assert {frozenset(op) for op in document["ops"]} == {
        frozenset({"index", "kind", "name", "macs", "live_bytes", "scratch_bytes"})
    }
    assert all(set(region) == {"name", "kind", "used_bytes", "available_bytes"} for region in document["regions"])
    assert document["macs"] == sum(op["macs"] for op in document["ops"])
    peak = document["memory"]["peak"]
    assert peak["live_bytes"] == max(op["live_bytes"] for op in document["ops"])
    assert document["ops"][peak["index"]]["name"] == peak["name"]
    kinds = {"in-place", "reorder", "kernels", "patches", "offline-plan"} if engine == "native" else {"offline-plan"}
    assert {option["kind"] for option in document["memory"]["options"]} == kinds
    assert all(option["saved_bytes"] >= 0 for option in document["memory"]["options"])
    sram, latency = document["sram"], document["latency"]
    kernels = document["kernels"]
    if engine == "native":
        assert set(kernels) == {"unit", "saved_ticks", "extra_flash_bytes", "gap_ticks", "not_compared", "layers"}
        assert {frozenset(layer) for layer in kernels["layers"]} == {
            frozenset({"steps", "name", "variant", "local", "scratch_given_up", "reason", "alternatives"})
        }
        assert {frozenset(a) for layer in kernels["layers"] for a in layer["alternatives"]} == {
            frozenset({"variant", "ticks", "constant_bytes", "code_bytes", "scratch_bytes", "note"})
        }
        assert [s for layer in kernels["layers"] for s in layer["steps"]] == [op["index"] for op in document["ops"]]
        assert all(layer["reason"].startswith(f"{layer['variant']}: ") for layer in kernels["layers"])
    else:
        assert kernels is None
    if engine == "native":
        assert sram["minimum_arena_bytes"] is None
        assert 0 < latency["low_instructions"] <= latency["predicted_instructions"] <= latency["high_instructions"]
    else:
        assert sram["minimum_arena_bytes"] >= sram["arena_bytes"] + sram["persistent_bytes"]
        assert latency["predicted_instructions"] is None
    # TFLM's code size is not modelled: whether the model fits is unknown, which is neither yes nor no (exit 1).
    assert (code, document["fits"]) == (0, True if engine == "native" else None)


def long_names(tmp_path: Path) -> Path:
    """A model with names as converters write them."""
    builder = GraphBuilder("long", DType.INT8)
    x = builder.input((1, 8, 8, 2))
    for index in range(4):
        x = builder.conv_2d(x, 4, (3, 3), name=";".join(f"functional/layer_{index}/part_{i}/BiasAdd" for i in range(9)))
    path = tmp_path / "long.tflite"
    write_tflite(with_random_constants(builder.build([x]), seed=1), path)
    return path


def test_inspect_shortens_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "arena.svg"
    with pytest.raises(SystemExit):
        main(["inspect", str(long_names(tmp_path)), "--board", "virt-m4", "--plot", str(picture)])
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "functional/layer_1/part_0/BiasAdd" in captured.out
    assert "part_1" not in captured.out
    assert "part_1" not in picture.read_text(encoding="utf-8")


def test_inspect_says_what_tensor_arena_must_be(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("inspect", str(model), "--board", "virt-m4", "--engine", "tflm")
    _, document, _ = call(capsys, *words)
    with pytest.raises(SystemExit):
        main(words)
    assert f"tensor_arena[{document['sram']['minimum_arena_bytes']}], 16-byte aligned: head " in capsys.readouterr().out


def test_inspect_explains_the_kernels(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("inspect", str(model), "--board", "virt-m4", "--why")
    _, document, _ = call(capsys, *words)
    with pytest.raises(SystemExit):
        main(words)
    out = capsys.readouterr().out
    for layer in document["kernels"]["layers"]:
        assert all(alternative["variant"] in out for alternative in layer["alternatives"])
    assert "the only kernel for it" in out
    assert "instructions more" in out
    code, document, _ = call(capsys, *words, "--engine", "tflm")
    assert (code, "leave out --engine tflm" in document["error"]) == (2, True)


def test_inspect_draws_nothing_where_it_cannot(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"
    words = ("inspect", str(model), "--board", "virt-m4", "--plot")
    code, document, _ = call(capsys, *words, str(absent / "arena.svg"))
    assert (code, "there is no folder" in document["error"], absent.exists()) == (2, True, False)
    code, document, _ = call(capsys, *words, str(tmp_path / "arena.svg"), "--engine", "tflm")
    assert (code, "leave out --engine tflm" in document["error"]) == (2, True)
    code, document, _ = call(capsys, *words[:-1], "--engine", "foo")
    assert (code, document["error"]) == (2, "Invalid value for '--engine': 'foo' is not one of 'native', 'tflm'.")


def test_inspect_draws_the_arena(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "arena.svg"
    _, document, _ = call(capsys, "inspect", str(model), "--board", "virt-m4", "--plot", str(picture))
    text = picture.read_text(encoding="utf-8")
    assert "<svg" in text
    assert f"arena: {document['sram']['arena_bytes']:,} bytes" in text


@pytest.mark.parametrize("engine", ["native", "tflm"])
def test_inspect_of_what_does_not_fit_is_exit_1_with_the_reason(
    engine: str, large_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document, _ = call(capsys, "inspect", str(large_model), "--board", "nucleo-f303k8", "--engine", engine)
    assert (code, document["fits"]) == (1, False)
    assert any("too few" in reason for reason in document["reasons"])


MEASURE_KEYS = {
    "transport",
    "instructions",
    "cycles",
    "cycles_basis",
    "schedule",
    "latency_ms",
    "layers",
    "sram_high_water_bytes",
    "flash_bytes",
    "matches_reference",
    "toolchain",
}


def test_measure_counts_layers_and_writes_what_the_reference_says(
    model: Path, graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = np.random.default_rng(3).integers(-128, 128, (3, 12, 12, 2), dtype=np.int8)
    np.save(tmp_path / "x.npy", inputs)
    code, document, _ = call(
        capsys,
        *("measure", str(model), "--board", "nucleo-f303k8", "--virtual"),
        *("--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy")),
    )
    assert code == 0
    assert set(document) == MEASURE_KEYS
    assert {frozenset(layer) for layer in document["layers"]} == {
        frozenset({"index", "kind", "name", "variant", "macs", "instructions", "per_mac"})
    }
    per_mac = {layer["kind"]: layer["per_mac"] for layer in document["layers"]}
    assert per_mac == {
        layer["kind"]: layer["instructions"] / layer["macs"] if layer["macs"] else None for layer in document["layers"]
    }
    assert per_mac["MEAN"] is None
    assert 1 < per_mac["CONV_2D"] < 50
    assert document["transport"] == "virtual"
    assert document["cycles"] is None
    assert document["latency_ms"] is None
    assert document["matches_reference"] is True
    assert sum(layer["instructions"] for layer in document["layers"]) == document["instructions"] > 10_000
    expected = execute(graph, [inputs])[graph.outputs[0]]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


@pytest.mark.parametrize(("option", "shown"), [("--layers", True), ("--no-layers", False)])
def test_measure_draws_the_profile_by_layer(
    option: str, shown: bool, model: Path, graph: Graph, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["measure", str(model), "--board", "virt-m4", "--virtual", option])
    out = capsys.readouterr().out
    assert ("per MAC" in out) == shown
    assert all((op.name in out) == shown for op in graph.ops)
    assert f"{count_macs(graph):,}" in out or not shown
    assert "one inference" in out


def test_inspect_predicts_what_measure_finds(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, predicted, _ = call(capsys, "inspect", str(model), "--board", "virt-m4")
    _, measured, _ = call(capsys, "measure", str(model), "--board", "virt-m4", "--virtual")
    assert predicted["flash"]["total_bytes"] == pytest.approx(measured["flash_bytes"], rel=0.01)
    static = predicted["sram"]["total_bytes"] - predicted["sram"]["stack_bytes"]
    assert static <= measured["sram_high_water_bytes"] <= predicted["sram"]["total_bytes"]


def test_space_ranks_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "space.svg"
    code, document, _ = call(
        capsys,
        *("space", "--board", "nucleo-f303k8", "--space", "mobile-tiny", "--samples", "20"),
        *("--input-channels", "1", "--classes", "10", "--plot", str(plot)),
    )
    assert code == 0
    assert set(document) == {"configurations", "chosen", "criterion"}
    assert {frozenset(entry) for entry in document["configurations"]} == {
        frozenset({"width", "resolution", "samples", "share_fits", "mean_macs", "p80_macs", "score"})
    }
    _, compared, _ = call(
        capsys,
        *("space", "--board", "nucleo-f303k8", "--space", "mobile-tiny", "--samples", "5", "--compare-schedules"),
        *("--input-channels", "1", "--classes", "10", "--plot", str(plot)),
    )
    assert set(compared) == {"configurations", "chosen", "criterion", "schedules"}
    assert {frozenset(entry) for entry in compared["schedules"]} == {
        frozenset({"name", "title", "chosen", "share_fits", "mean_macs", "p80_macs", "score"})
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


def test_any_model_becomes_a_c_project(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = call(capsys, "export", str(model), str(tmp_path / "project"))
    assert (code, document["format"]) == (0, "c")
    assert {Path(file).name for file in document["files"]} >= {"model.h", "model.c", "kernels.h", "Makefile"}
    assert '#define TN_MODEL_NAME "small"' in (tmp_path / "project" / "model.h").read_text()
    code, document, _ = call(capsys, "export", str(model), str(tmp_path / "project"))
    assert code == 2
    assert "--force" in document["error"]


@pytest.mark.parametrize("board", ["virt-m4", "virt-m0plus"])
def test_a_c_project_for_a_board_has_the_kernels_chosen_for_it(
    board: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("export", str(model), str(tmp_path / "project"), "--board", board)
    code, document, _ = call(capsys, *words, "--toolchain", "gcc", "--reserve-flash", "1000")
    assert (code, document["format"]) == (0, "c")
    text = (tmp_path / "project" / "model.c").read_text()
    _, inspected, _ = call(capsys, "inspect", str(model), "--board", board, "--toolchain", "gcc")
    # Both have room for everything: the same choice, with its reasons.
    for layer in inspected["kernels"]["layers"]:
        assert f"STEP({layer['variant']});" in text
        assert layer["reason"].split(":")[0] in text
    assert "mean: the only kernel for it" in text


def test_a_c_project_says_where_no_kernels_could_be_compared(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = ("export", str(model), str(tmp_path / "project"), "--board", "nucleo-f303k8", "--reserve-flash", "64000")
    code, document, _ = call(capsys, *words)
    assert (code, document["choice"]["not_compared"]) == (0, "no kernels fit the board's flash")
    assert [line for line in caplog.messages if "no kernels fit the board's flash" in line]


def test_inspect_and_measure_weigh_kernels_alike_with_another_compiler(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tinynas.pipeline.deployment._deployment._installed_version", lambda toolchain: "another compiler"
    )
    _, inspected, _ = call(capsys, "inspect", str(model), "--board", "virt-m4")
    assert "fitted with another compiler" in inspected["kernels"]["not_compared"]
    _, measured, _ = call(capsys, "measure", str(model), "--board", "virt-m4", "--virtual")
    assert [layer["variant"] for layer in measured["layers"]] == [
        layer["variant"] for layer in inspected["kernels"]["layers"]
    ]


def test_an_offline_plan_lowers_the_arena_and_changes_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = GraphBuilder("branches", DType.INT8)
    source = builder.input((1, 12, 12, 8))
    x = source
    for index, channels in enumerate((32, 8, 24, 8)):
        x = builder.conv_2d(x, channels, (1, 1), name=f"conv{index}")
    x = builder.add(source, x, name="join")
    graph = with_random_constants(builder.build([x]), seed=2)
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    write_tflite(graph, before)
    code, document, _ = call(capsys, "export", str(before), str(after), "--offline-plan")
    assert code == 0
    assert document["saved_bytes"] >= 0
    values = np.random.default_rng(0).integers(-128, 128, (1, 12, 12, 8)).astype(np.int8)
    assert np.array_equal(run_tflm(before.read_bytes(), [values])[0], run_tflm(after.read_bytes(), [values])[0])
    code, document, _ = call(capsys, "export", str(before), str(tmp_path / "copy.tflite"))
    assert code == 2
    assert "--offline-plan" in document["error"]


def branches(tmp_path: Path) -> Path:
    """A block that TFLM's own planner does not place at the lower bound."""
    builder = GraphBuilder("branches", DType.INT8)
    first = builder.conv_2d(builder.input((1, 16, 16, 8)), 7, (1, 1), name="a")
    x = first
    for index, channels in enumerate((9, 8, 8)):
        x = builder.conv_2d(x, channels, (1, 1), name=f"b{index}")
    graph = builder.build([builder.add(x, builder.conv_2d(first, 8, (1, 1), name="skip"), name="join")])
    path = tmp_path / "branches.tflite"
    write_tflite(with_random_constants(graph, seed=2), path)
    return path


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
def test_a_stored_plan_is_seen_and_not_stored_again(
    kernels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after, again = branches(tmp_path), tmp_path / "after.tflite", tmp_path / "again.tflite"

    def inspected(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        words = ("inspect", str(path), "--board", "virt-m4", "--engine", "tflm", "--kernels", kernels)
        _, document, _ = call(capsys, *words)
        return document["sram"], document["memory"]["options"][0]

    sram, option = inspected(before)
    assert (option["applied"], "export" in option["how"]) == (False, True)
    assert ("--kernels cmsis-nn" in option["how"]) == (kernels == "cmsis-nn")
    assert sram["arena_bytes"] - option["saved_bytes"] == option["arena_bytes"]
    words = ("--offline-plan", "--kernels", kernels)
    _, stored, _ = call(capsys, "export", str(before), str(after), *words)
    assert (stored["kernels"], stored["stored"], stored["saved_bytes"]) == (kernels, True, option["saved_bytes"])
    planned, applied = inspected(after)
    assert planned["arena_bytes"] == stored["head_bytes"] == option["arena_bytes"]
    assert (applied["applied"], applied["saved_bytes"]) == (True, option["saved_bytes"])
    _, second, _ = call(capsys, "export", str(after), str(again), *words)
    assert (second["stored"], second["saved_bytes"], second["head_bytes"]) == (False, 0, stored["head_bytes"])
    assert again.read_bytes() == after.read_bytes()
    with pytest.raises(SystemExit):
        main(["export", str(after), str(again), *words, "--force"])
    assert f"with the {kernels} kernels" in (out := capsys.readouterr().out)
    assert "nothing saved, file copied" in out


def test_figures_of_stale_memory_models_are_said_to_be_so(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tinynas.memory._model_files.firmware_hash", lambda: "other sources")
    call(capsys, "export", str(model), str(tmp_path / "project"))
    assert len(caplog.messages) == 2  # one line a toolchain
    assert all("stale" in line and "native-cortex-m4f-" in line for line in caplog.messages)
