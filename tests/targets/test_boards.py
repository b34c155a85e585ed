"""Board files: every one that ships loads, and every mistake in one is answered with one clear line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tinynas.errors import UsageError
from tinynas.targets import CORES, Board, BoardFileError, UnknownBoardError, board_names, load_board, resource_path


def _nucleo_text() -> str:
    return (resource_path("boards") / "nucleo-f303k8.toml").read_text(encoding="utf-8")


def _load(tmp_path: Path, text: str) -> Board:
    path = tmp_path / "nucleo-f303k8.toml"
    path.write_text(text, encoding="utf-8")
    return load_board(path)


@pytest.mark.parametrize("name", board_names())
def test_every_shipped_board_loads_and_has_sources(name: str) -> None:
    board = load_board(name)
    assert board.name == name
    assert board.sources
    assert board.core is CORES[board.core.name]


def test_reference_boards_of_the_design_exist() -> None:
    expected = {"nucleo-f303k8", "stm32f746g-disco", "virt-m0plus", "virt-m4", "virt-m7", "virt-m33", "host64"}
    assert expected <= set(board_names())


def test_nucleo_has_two_separate_srams() -> None:
    board = load_board("nucleo-f303k8")
    assert [(r.name, r.address, r.size_bytes) for r in board.regions] == [
        ("flash", 0x08000000, 64 * 1024),
        ("ccm", 0x10000000, 4 * 1024),
        ("sram", 0x20000000, 12 * 1024),
    ]
    assert board.arena_region.name == "sram"
    assert board.region(board.layout.stack).name == "ccm"
    assert (board.sram_bytes, board.flash_bytes) == (16 * 1024, 64 * 1024)


def test_boards_are_immutable() -> None:
    board = load_board("virt-m4")
    with pytest.raises(ValueError, match="frozen"):
        board.clock_hz = 1  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(("typo", "meant"), [("nucleo-f303k", "nucleo-f303k8"), ("virt-m3", "virt-m33")])
def test_unknown_board_names_the_nearest(typo: str, meant: str) -> None:
    with pytest.raises(UnknownBoardError, match=f"'{typo}'; did you mean '{meant}'") as caught:
        load_board(typo)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == UsageError.exit_code == 2


def test_unknown_board_without_a_near_match_lists_all() -> None:
    with pytest.raises(UnknownBoardError, match="one of host64, nucleo-f303k8"):
        load_board("zzzzzz")


def test_missing_file() -> None:
    with pytest.raises(UnknownBoardError, match="does not exist"):
        load_board("nowhere/board.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock_hz =", "clok_hz =", r"unknown key 'clok_hz'; did you mean 'clock_hz'"),
        ("stack_bytes =", "stack_byte =", r"unknown key 'layout.stack_byte'; did you mean 'stack_bytes'"),
        ("baud =", "baudrate =", r"unknown key 'serial.baudrate'; did you mean 'baud'"),
        ("size_bytes = 65536", "size_byte = 65536", r"unknown key 'regions.0.size_byte'; did you mean 'size_bytes'"),
        ('core = "cortex-m4f"', 'core = "cortex-m5"', r"core: unknown core 'cortex-m5'"),
        ('arena = "sram"', 'arena = "sdram"', r"layout.arena names the region 'sdram'; the regions are"),
        ('arena = "sram"', 'arena = "flash"', r"layout.arena must be in sram"),
        ("address = 0x20000000", "address = 0x10000800", r"regions 'ccm' and 'sram' overlap"),
        ("address = 0x20000000", "address = 0x0ffffc00", r"overlap"),
        ("stack_bytes = 2560", "stack_bytes = 8192", r"stack_bytes is larger than region 'ccm'"),
        ("stack_bytes = 2560", "stack_bytes = 2568", r"layout.stack_bytes: .*multiple of 16"),
        ('name = "ccm"', 'name = "sram"', r"two regions share a name"),
        ("address = 0x20000000", "address = 0x0fffd000", r"memory below region 'ccm' is mapped"),
        ('name = "nucleo-f303k8"', 'name = "nucleo"', r"name and file name must agree"),
        ("[layout]", "[layout", r"not valid TOML"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = _nucleo_text()
    assert old in text
    with pytest.raises(BoardFileError, match=message) as caught:
        _load(tmp_path, text.replace(old, new))
    assert "\n" not in str(caught.value)


def test_nearest_key_inside_an_array_of_tables(tmp_path: Path) -> None:
    text = _nucleo_text().replace("size_bytes = 65536", "size_bytes = 65536\nadress = 1")
    with pytest.raises(BoardFileError, match=r"unknown key 'regions.0.adress'; did you mean 'address'"):
        _load(tmp_path, text)


def test_round_trip_through_toml_data() -> None:
    data = tomllib.loads(_nucleo_text())
    board = Board.model_validate(data)
    assert board.model_dump(mode="python", exclude={"core"})["layout"] == data["layout"]
