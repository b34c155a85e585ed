"""`tinynas inspect`: the documented keys, and what is drawn, explained and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import call

from tinynas.cli import main
from tinynas.formats import write_tflite
from tinynas.graph import DType, GraphBuilder
from tinynas.latency import latency_model_path, load_latency_model, save_latency_model, with_random_constants

INSPECT_KEYS = {
    "": {
        *("macs", "params", "sram", "flash", "regions", "latency", "fits", "reasons", "ops", "memory"),
        *("decided_by", "schedule", "kernels"),
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
        *(f"{name}_{unit}" for unit in ("cycles", "ms", "instructions") for name in ("predicted", "low", "high")),
        "basis",
    },
}


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
    ours = {"in-place", "reorder", "kernels", "streams", "patches"}
    kinds = {"offline-plan", *(ours if engine == "native" else ())}
    assert {option["kind"] for option in document["memory"]["options"]} == kinds
    assert all(option["saved_bytes"] >= 0 for option in document["memory"]["options"])
    sram, latency = document["sram"], document["latency"]
    kernels = document["kernels"]
    if engine == "native":
        assert set(kernels) == {
            "unit",
            "basis",
            "saved_ticks",
            "extra_flash_bytes",
            "gap_ticks",
            "not_compared",
            "layers",
        }
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
        for unit in ("cycles", "instructions"):
            assert 0 < latency[f"low_{unit}"] <= latency[f"predicted_{unit}"] <= latency[f"high_{unit}"]
        assert latency["predicted_cycles"] > latency["predicted_instructions"]
        assert latency["predicted_ms"] == pytest.approx(latency["predicted_cycles"] / 72e3)
        assert latency["basis"] == "predicted cycles: Cortex-M4 TRM timings, zero wait states (model)"
        assert document["decided_by"] == {"unit": "cycles", "basis": "Cortex-M4 TRM timings, zero wait states (model)"}
        assert kernels["unit"] == document["schedule"]["unit"] == "cycles"
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
    assert "decided by cycles: Cortex-M4 TRM timings, zero wait states (model)" in out
    assert "cycles more" in out
    assert "instructions more" not in out
    code, document, _ = call(capsys, *words, "--engine", "tflm")
    assert (code, "leave out --engine tflm" in document["error"]) == (2, True)


def test_inspect_says_that_instructions_decided_where_cycles_are_not_known(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("inspect", str(model), "--board", "virt-m7", "--why")
    _, document, _ = call(capsys, *words)
    assert document["decided_by"] == {"unit": "instructions", "basis": "counted by the virtual board"}
    assert document["latency"]["predicted_cycles"] is document["latency"]["predicted_ms"] is None
    with pytest.raises(SystemExit):
        main(words)
    assert "decided by instructions" in capsys.readouterr().out


def test_inspect_takes_no_cycles_of_another_core(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_m4 = latency_model_path("cortex-m4f", "zig")
    words = ("inspect", str(model), "--board", "virt-m7", "--latency")
    _, document, _ = call(capsys, *words, str(of_m4))
    assert document["decided_by"] == {"unit": "instructions", "basis": "counted by the virtual board"}
    latency = document["latency"]
    assert latency["predicted_cycles"] is latency["predicted_ms"] is None
    assert latency["predicted_instructions"] > 0
    cycles = tmp_path / "cycles.json"
    save_latency_model(replace(load_latency_model(of_m4), instructions=None), cycles)
    code, document, _ = call(capsys, *words, str(cycles))
    assert (code, "cycles.json: its cycles are those of Cortex-M4" in document["error"]) == (2, True)


def test_inspect_says_within_what_bounds(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for board, units in (("virt-m4", ("cycles", "ms", "instructions")), ("virt-m7", ("instructions",))):
        words = ("inspect", str(model), "--board", board)
        latency = call(capsys, *words)[1]["latency"]
        with pytest.raises(SystemExit):
            main(words)
        out = " ".join(capsys.readouterr().out.split())
        for unit in units:
            digits = 2 if unit == "ms" else 0
            predicted, low, high = (f"{latency[f'{name}_{unit}']:,.{digits}f}" for name in ("predicted", "low", "high"))
            assert f"{predicted} {unit} ({low} to {high})" in out


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
