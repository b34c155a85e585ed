"""`tinynas measure`: the documented keys, what is counted, and what `inspect` predicted of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import call

from tinynas.cli import main
from tinynas.graph import Graph, count_macs, execute
from tinynas.targets import resource_path

MEASURE_KEYS = {
    "transport",
    "unit",
    "decided_by",
    "instructions",
    "cycles",
    "cycles_basis",
    "cycles_name",
    "schedule",
    "latency_ms",
    "layers",
    "functions",
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
        frozenset({"index", "kind", "name", "variant", "macs", "instructions", "per_mac", "cycles"})
    }
    per_mac = {layer["kind"]: layer["per_mac"] for layer in document["layers"]}
    assert per_mac == {
        layer["kind"]: layer["cycles"] / layer["macs"] if layer["macs"] else None for layer in document["layers"]
    }
    assert per_mac["MEAN"] is None
    assert 1 < per_mac["CONV_2D"] < 50
    assert document["transport"] == "virtual"
    assert sum(layer["cycles"] for layer in document["layers"]) == document["cycles"] > document["instructions"]
    assert document["cycles_basis"] == "Cortex-M4 TRM timings, zero wait states (model)"
    assert (document["unit"], document["cycles_name"]) == ("cycles", "cycles (model)")
    assert document["decided_by"] == {"unit": "cycles", "basis": document["cycles_basis"]}
    assert document["latency_ms"] == pytest.approx(document["cycles"] / 72e3)
    assert sum(function["instructions"] for function in document["functions"]) == document["instructions"]
    assert sum(function["cycles"] for function in document["functions"]) == document["cycles"]
    assert document["matches_reference"] is True
    assert sum(layer["instructions"] for layer in document["layers"]) == document["instructions"] > 10_000
    expected = execute(graph, [inputs])[graph.outputs[0]]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_a_core_without_timings_has_no_cycles(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document, _ = call(capsys, "measure", str(model), "--board", "virt-m7", "--virtual")
    assert code == 0
    assert (document["cycles"], document["latency_ms"]) == (None, None)
    assert "Arm publishes no timings of the cortex-m7" in document["cycles_basis"]
    assert document["unit"] == document["decided_by"]["unit"] == "instructions"
    assert all("cycles" not in layer for layer in document["layers"])
    assert {function["cycles"] for function in document["functions"]} == {None}


def test_cycles_per_instruction_that_somebody_measured_come_first(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "virt-m4.toml"
    text = (resource_path("boards") / path.name).read_text(encoding="utf-8")
    path.write_text(text + '\n[cycles_per_instruction]\nvalue = 1.5\nbasis = "a test"\n', encoding="utf-8")
    _, document, _ = call(capsys, "measure", str(model), "--board", str(path), "--virtual")
    assert document["cycles"] == round(1.5 * document["instructions"])
    assert document["cycles_basis"] == "instructions times 1.5: a test"
    assert document["unit"] == document["decided_by"]["unit"] == "instructions"
    assert all("cycles" not in layer for layer in document["layers"])
    assert {function["cycles"] for function in document["functions"]} == {None}


def test_measure_says_that_cycles_are_a_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["measure", str(model), "--board", "virt-m0plus", "--virtual"])
    out = " ".join(capsys.readouterr().out.split())
    assert "Cortex-M0+ TRM timings, single-cycle multiplier, zero wait states (model)" in out
    assert "cycles (model)" in out  # the column
    assert out.count("cycles") >= 2  # and the line of the whole


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
