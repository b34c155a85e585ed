"""What is read from the files of tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from little_tables import TinySpace, tiny_rows
from tabular import load_table, nas_bench_201, nas_bench_macro, table_of_rows

from tinynas.errors import UsageError


def test_nas_bench_macro(tmp_path: Path) -> None:
    rows = {"00000000": (90.0, 0.3, 100, 10), "00000012": (91.5, 0.6, 200, 20), "22222222": (93.0, 0.0, 300, 30)}
    document = {
        name: {"mean_acc": mean, "std": std, "flops": macs, "params": params, "test_acc": [mean]}
        for name, (mean, std, macs, params) in rows.items()
    }
    (tmp_path / "macro.json").write_text(json.dumps(document))
    table = nas_bench_macro(tmp_path / "macro.json")
    assert table.space.size() == 3**8
    assert table.fidelities == (1.0,)
    assert table.scores[1.0][0, 0, 0, 0, 0, 0, 1, 2] == 91.5
    assert table.deviations[1.0][0, 0, 0, 0, 0, 0, 1, 2] == pytest.approx(0.6 / 3**0.5)
    assert table.ranked() == [91.5, 90.0]  # the median of MACs is the limit
    assert table.violations((2,) * 8) == ("300 of 200 MACs",)


def test_nas_bench_201(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "201.npz",
        operations=["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"],
        cells=np.array([[0] * 6, [3, 2, 4, 1, 0, 3], [3] * 6], np.uint8),
        cifar100_accuracies=np.array([[1, np.nan, np.nan], [60, 62, np.nan], [70, 71, 72]], np.float32),
        cifar100_macs=[10, 20, 30],
        cifar100_params=[1, 2, 3],
    )
    table = nas_bench_201(tmp_path / "201.npz", "cifar100")
    assert table.space.size() == 15625
    mixed = (4, 3, 2, 1, 0, 4)  # by size, not by the number in the file
    assert table.scores[1.0] == {(0,) * 6: 1.0, mixed: 61.0, (4,) * 6: 71.0}
    assert table.deviations[1.0] == {mixed: pytest.approx(1.0), (4,) * 6: pytest.approx(1 / 3**0.5)}
    assert table.costs[mixed] == {"macs": 20.0, "params": 2.0}
    assert table.space.describe(mixed)["edge0-1"] == "nor_conv_3x3"
    assert all(not variable.ordinal for variable in table.space.variables)


def test_trainings_of_several_lengths_are_fidelities() -> None:
    rows = tiny_rows()
    table = table_of_rows(TinySpace(), rows, held_out=1000)
    assert table.fidelities == (0.25, 1.0)
    for row in rows:
        short = [row.trained[seed, 10].held_out / 10 for seed in (0, 1)]
        assert table.scores[0.25][row.genotype] == pytest.approx(sum(short) / 2)
        assert table.deviations[0.25][row.genotype] == pytest.approx(abs(short[0] - short[1]) / 2)
        assert table.costs[row.genotype]["macs"] == row.costs["macs"]
    assert len(table.ranked()) == 9


@pytest.mark.parametrize("name", ["macro", "201"])
def test_a_public_table_needs_a_file(name: str, tmp_path: Path) -> None:
    for path in (None, tmp_path / "missing"):
        with pytest.raises(UsageError, match=f"table '{name}' is a file that --path names"):
            load_table(name, path, "cifar10")


def _zip_of_another_kind(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, images=np.zeros(3))


def _single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


WRONG_FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no table"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x80\x00"),
    "damaged archive": lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
    "another archive": _zip_of_another_kind,
    "array": _single_array,
    "list": lambda path: path.write_text("[1, 2]"),
    "other keys": lambda path: path.write_text('{"00000000": {"accuracy": 1}}'),
    "other names": lambda path: path.write_text('{"networks": {}}'),
    "numbers": lambda path: path.write_text('{"00000000": 1}'),
    "no networks": lambda path: path.write_text("{}"),
}


@pytest.mark.parametrize("kind", WRONG_FILES)
@pytest.mark.parametrize("name", ["macro", "201"])
def test_a_file_that_is_no_such_table_is_refused_in_one_line(name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    WRONG_FILES[kind](path)
    with pytest.raises(UsageError, match=f"file is not the table '{name}'") as refused:
        load_table(name, path, "cifar10")
    assert "\n" not in str(refused.value)


def test_a_folder_of_another_table_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("network,accuracy\n1,2\n")
    with pytest.raises(UsageError, match="is not the table 'own'"):
        load_table("own", tmp_path, "cifar10")
