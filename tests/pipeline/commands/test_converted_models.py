"""Commands on files with uint8 borders and what else converters leave in them: counted, run, and explained."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tinynas.formats import read_tflite, write_tflite
from tinynas.graph import DType, Graph, GraphBuilder, simplified
from tinynas.graph.passes import as_int8
from tinynas.latency import with_random_constants
from tinynas.pipeline import MeasurementInputError, export_model, inspect_model, measure_model
from tinynas.testing import disguised_graph, run_litert

NAMES = ["input", "classifier"]
"""Of the plain network's input and output, which its file has as uint8."""


@pytest.fixture(scope="module")
def plain() -> Graph:
    b = GraphBuilder("plain", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 3)), 4, 3, stride=2, name="stem")
    return with_random_constants(b.build([b.fully_connected(b.reshape(x, (1, -1)), 5, name="classifier")]), seed=0)


@pytest.fixture(scope="module")
def model(plain: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a detour in front of every operator, weights computed at run time, and uint8 at both ends."""
    path = tmp_path_factory.mktemp("model") / "disguised.tflite"
    disguised = read_tflite(write_tflite(disguised_graph(np.random.default_rng(0), plain, share=1.0)))
    assert {disguised.tensors[t].dtype for t in (*disguised.inputs, *disguised.outputs)} == {DType.UINT8}
    write_tflite(disguised, path)
    return path


def test_it_is_inspected_as_the_plain_network(plain: Graph, model: Path, tmp_path: Path) -> None:
    write_tflite(plain, tmp_path / "plain.tflite")
    found, expected = (inspect_model(path, "virt-m4") for path in (model, tmp_path / "plain.tflite"))
    assert [name.split("/")[0] for name in found.pop("uint8_borders")["tensors"]] == NAMES
    for key in ("macs", "params", "sram", "flash", "fits"):
        assert found[key] == expected[key]
    assert [op["kind"] for op in found["ops"]] == [op["kind"] for op in expected["ops"]]


def test_tflm_runs_what_the_file_has(model: Path) -> None:
    file = read_tflite(model)
    inspected = inspect_model(model, "host64", engine="tflm")
    assert [op["kind"] for op in inspected["ops"]] == [op.kind for op in file.ops]
    assert len(file.ops) > len(simplified(file).ops)


def test_uint8_inputs_are_measured_and_give_what_litert_gives(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, inputs = read_tflite(model), np.random.default_rng(1).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    np.save(tmp_path / "x.npy", inputs)
    with caplog.at_level(logging.WARNING):
        measured = measure_model(
            model, "virt-m4", virtual=True, input_file=tmp_path / "x.npy", output_file=tmp_path / "y.npy"
        )
    assert measured["matches_reference"]
    assert len(measured["uint8_borders"]["tensors"]) == 2
    assert "uint8 in the file, int8 here: int8 value = uint8 value - 128" in caplog.text
    expected = [run_litert(model.read_bytes(), [x[np.newaxis]])[file.outputs[0]] for x in inputs]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), as_int8(np.concatenate(expected)))
    np.save(tmp_path / "x.npy", as_int8(inputs))
    measure_model(model, "virt-m4", virtual=True, input_file=tmp_path / "x.npy", output_file=tmp_path / "z.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), np.load(tmp_path / "y.npy"))


def test_uint8_inputs_are_for_uint8_files(plain: Graph, tmp_path: Path) -> None:
    write_tflite(plain, tmp_path / "plain.tflite")
    np.save(tmp_path / "x.npy", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(MeasurementInputError, match="holds uint8: the model takes int8 inputs"):
        measure_model(tmp_path / "plain.tflite", "virt-m4", virtual=True, input_file=tmp_path / "x.npy")


def test_the_header_says_how_to_convert(plain: Graph, model: Path, tmp_path: Path) -> None:
    write_tflite(plain, tmp_path / "plain.tflite")
    document = export_model(model, tmp_path / "c")
    assert len(document["uint8_borders"]["tensors"]) == 2
    assert "uint8_borders" not in export_model(tmp_path / "plain.tflite", tmp_path / "p")
    note = "In the model file this is uint8: q = (int8_t)(u ^ 0x80), u = (uint8_t)q ^ 0x80"
    assert (tmp_path / "c" / "model.h").read_text().count(note) == 2
    assert note not in (tmp_path / "p" / "model.h").read_text()
