"""Builds: what fits, what does not and by how much, what is compiled again, and every failure as one clear line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from small_models import COPY_KERNEL, build_copy, write_model

from tinynas.boards import (
    Device,
    DoesNotFitError,
    Firmware,
    GccToolchain,
    ImageError,
    NoFirmwareError,
    ReserveError,
    Toolchain,
    ToolchainError,
    UnknownToolchainError,
    VirtualBoard,
    ZigToolchain,
    build_firmware,
    load_toolchain,
    read_image,
)
from tinynas.targets import Board, Core, Reserve, board_names, load_board

FIRMWARE_BOARDS = [name for name in board_names() if load_board(name).hal is not None]
DECLARATION = "void copy(const int8_t *in, int8_t *out, uint32_t size);"


def _build(
    board: Board, folder: Path, arena_bytes: int, *, reserve: Reserve | None = None, constants: int = 0
) -> Firmware:
    table = f"const uint8_t table[{constants}] = {{1}};" if constants else ""
    use = "model_arena[1] = (int8_t)table[model_arena[0] & 1];" if constants else ""
    kernel = write_model(
        folder,
        calls=[f"copy(model_arena, model_arena + 8, 8); {use}"],
        declarations=DECLARATION + (f"extern const uint8_t table[{constants}];" if constants else ""),
        kernel=COPY_KERNEL + table,
        size=8,
        output_offset=8,
        arena_bytes=arena_bytes,
    )
    return build_firmware(board, folder / "model", [kernel], ZigToolchain(), folder / "out", reserve=reserve)


@pytest.mark.parametrize("name", FIRMWARE_BOARDS)
def test_layout(name: str, tmp_path: Path) -> None:
    """Stack at the bottom of its region, everything in the region the board file names, and the sums right."""
    board = load_board(name)
    firmware = build_copy(board, tmp_path, size=100)
    image = read_image(firmware.elf)
    region = board.region(board.layout.stack)
    assert image.symbols["tn_stack_bottom"].address == region.address
    assert image.symbols["tn_stack_top"].address == region.address + board.layout.stack_bytes
    homes = {".stack": "stack", ".buffers": "buffers", ".arena": "arena", ".bss": "data", ".text": "code"}
    for section, role in homes.items():
        home = board.region(getattr(board.layout, role))
        assert home.address <= image.sections[section].address < home.end
    assert firmware.section_bytes[".arena"] == 200
    assert firmware.stack_bytes == board.layout.stack_bytes
    assert firmware.flash_bytes == firmware.region_usage[board.layout.code] == _loaded_bytes(firmware)
    sram = sum(firmware.region_usage[r.name] for r in board.regions if r.kind == "sram")
    padding = sram - firmware.static_sram_bytes - firmware.stack_bytes
    assert 0 <= padding < 32


def _loaded_bytes(firmware: Firmware) -> int:
    segments = read_image(firmware.elf).segments
    return max(s.address + len(s.data) for s in segments) - min(s.address for s in segments)


@pytest.mark.parametrize("name", FIRMWARE_BOARDS)
def test_the_runtime_is_small(name: str, tmp_path: Path) -> None:
    assert build_copy(load_board(name), tmp_path).flash_bytes < 4096


def test_the_runtime_does_not_depend_on_the_model(tmp_path: Path) -> None:
    """Other sizes, another name: the same bytes of code and of SRAM, but for the arena."""
    board = load_board("nucleo-f303k8")
    small, large = build_copy(board, tmp_path / "small", size=16), build_copy(board, tmp_path / "large", size=5000)
    assert small.flash_bytes == pytest.approx(large.flash_bytes, abs=16)  # constants of the calls in model.c
    runtime = {name for name in small.function_bytes if not name.startswith(("model_", "copy"))}
    assert {n: small.function_bytes[n] for n in runtime} == {n: large.function_bytes[n] for n in runtime}
    assert small.static_sram_bytes - 32 == large.static_sram_bytes - 10000


def test_sram_overflow_names_the_region_and_the_bytes(tmp_path: Path) -> None:
    board = load_board("nucleo-f303k8")
    rest = 12288 - (_build(board, tmp_path, 16).region_usage["sram"] - 16)
    assert _build(board, tmp_path, rest // 8 * 8).region_usage["sram"] <= 12288
    with pytest.raises(DoesNotFitError) as caught:
        _build(board, tmp_path, rest // 8 * 8 + 64)
    assert (caught.value.region, caught.value.size_bytes) == ("sram", 12288)
    assert 64 - 8 < caught.value.overflow_bytes <= 64
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_flash_overflow_names_the_region_and_the_bytes(tmp_path: Path) -> None:
    board = load_board("nucleo-f303k8")
    used = _build(board, tmp_path, 16, constants=60000).flash_bytes
    assert 60000 < used < 65536
    with pytest.raises(DoesNotFitError, match="region 'flash' holds 65536 bytes and") as caught:
        _build(board, tmp_path, 16, constants=60000 + (65536 - used) + 100)
    assert abs(caught.value.overflow_bytes - 100) <= 4


def test_what_the_user_reserves_is_not_there(tmp_path: Path) -> None:
    board = load_board("nucleo-f303k8")
    firmware = _build(board, tmp_path, 8000)
    free = 12288 - firmware.region_usage["sram"]
    _build(board, tmp_path, 8000, reserve=Reserve(sram_bytes=free))
    with pytest.raises(DoesNotFitError, match=r"region 'sram' holds \d+ bytes and 1 more"):
        _build(board, tmp_path, 8000, reserve=Reserve(sram_bytes=free + 1))
    free_flash = 65536 - firmware.flash_bytes
    _build(board, tmp_path, 8000, reserve=Reserve(flash_bytes=free_flash))
    with pytest.raises(DoesNotFitError, match="region 'flash'"):
        _build(board, tmp_path, 8000, reserve=Reserve(flash_bytes=free_flash + 1))


@pytest.mark.parametrize(
    ("reserve", "region"), [(Reserve(sram_bytes=12288), "sram"), (Reserve(flash_bytes=100_000), "flash")]
)
def test_nobody_can_reserve_more_than_there_is(reserve: Reserve, region: str, tmp_path: Path) -> None:
    with pytest.raises(ReserveError, match=f"bytes are reserved in region '{region}' of nucleo-f303k8, which holds"):
        _build(load_board("nucleo-f303k8"), tmp_path, 16, reserve=reserve)


class CountingToolchain(ZigToolchain):
    """Counts compilations."""

    compilations = 0

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        self.compilations += 1
        super().compile(core, source, output, flags)


def test_only_what_changed_is_compiled_again(tmp_path: Path) -> None:
    board, toolchain, cache = load_board("virt-m4"), CountingToolchain(), tmp_path / "cache"

    def build(size: int, core_board: Board = board) -> tuple[int, Firmware]:
        kernel = write_model(
            tmp_path,
            calls=[f"copy(model_arena, model_arena, {size});"],
            declarations=DECLARATION,
            kernel=COPY_KERNEL,
            size=size,
        )
        before = toolchain.compilations
        firmware = build_firmware(core_board, tmp_path / "model", [kernel], toolchain, tmp_path / "out", cache=cache)
        return toolchain.compilations - before, firmware

    first, firmware = build(16)
    again, same = build(16)
    other, different = build(24)
    assert (again, other) == (0, 3)  # identity.c, model.c and its profiled twin
    assert first > 8
    assert same.build_id == firmware.build_id != different.build_id
    assert build(16, load_board("virt-m7"))[0] == first
    assert len(list((tmp_path / "out" / "objects").iterdir())) == 3  # nothing stale is left behind
    assert not any(path.name.startswith(("model", "identity")) for path in cache.iterdir())


def test_a_long_name_of_a_model_is_cut_to_what_the_frame_holds(tmp_path: Path) -> None:
    """31 characters and a zero."""
    name = "a_network_whose_name_is_longer_than_the_frame"
    kernel = write_model(
        tmp_path, calls=["copy(model_arena, model_arena, 16);"], declarations=DECLARATION, kernel=COPY_KERNEL, name=name
    )
    board = load_board("virt-m4")
    firmware = build_firmware(board, tmp_path / "model", [kernel], ZigToolchain(), tmp_path / "out")
    assert Device(VirtualBoard(board, firmware.elf)).hello().model == name[:31]


def test_a_compile_error_is_one_clear_line(tmp_path: Path) -> None:
    kernel = write_model(tmp_path, calls=["act();"], declarations="void act(void);", kernel="int broken(")
    with pytest.raises(ToolchainError, match=r"kernel.c:1:\d+: error: ") as caught:
        build_firmware(load_board("virt-m4"), tmp_path / "model", [kernel], ZigToolchain(), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_kernel_that_is_missing_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, calls=["act();"], declarations="void act(void);", kernel="")
    with pytest.raises(ToolchainError, match="undefined symbol: act"):
        build_firmware(load_board("virt-m4"), tmp_path / "model", [], ZigToolchain(), tmp_path / "out")


def test_no_model_no_firmware(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"model\.h does not exist: generate"):
        build_firmware(load_board("virt-m4"), tmp_path, [], ZigToolchain(), tmp_path / "out")


def test_boards_without_firmware(tmp_path: Path) -> None:
    board = load_board("host64")
    with pytest.raises(NoFirmwareError, match="host64 has no firmware"):
        build_firmware(board, tmp_path, [], ZigToolchain(), tmp_path / "out")
    with pytest.raises(NoFirmwareError, match="host64 has no firmware"):
        VirtualBoard(board, tmp_path / "firmware.elf")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"no image at all", b"\x7fELF" + bytes(60)])
def test_what_is_no_image_is_said_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "missing.elf")


def test_missing_gcc_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"arm-none-eabi-gcc is not on the search path: install .*--toolchain zig"):
        load_toolchain("gcc")


def test_unknown_toolchain() -> None:
    with pytest.raises(UnknownToolchainError, match="unknown toolchain 'armcc'; one of zig, gcc") as caught:
        load_toolchain("armcc")
    assert caught.value.exit_code == 2


FAKE_GCC = """#!/bin/sh
case "$*" in
  *-dumpfullversion*) echo 13.2.1 ;;
  *-Wl,--gc-sections*)
    echo "ld: firmware.elf section \\`.arena' will not fit in region \\`sram'" >&2
    echo "ld: region \\`sram' overflowed by 4321 bytes" >&2
    exit 1 ;;
  *)
    for last; do :; done
    echo "$*" >> "$(dirname "$0")/calls"
    : > "$last" ;;
esac
"""


def test_gcc_is_called_with_the_core_and_its_overflow_is_understood(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The GNU toolchain's command lines and complaints; the compiler is a stand-in."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "arm-none-eabi-gcc").write_text(FAKE_GCC, encoding="utf-8")
    (tools / "arm-none-eabi-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    toolchain = GccToolchain()
    assert toolchain.version() == "gcc 13.2.1"
    kernel = write_model(tmp_path, calls=["act();"], declarations="void act(void);", kernel="")
    board = load_board("nucleo-f303k8")
    with pytest.raises(DoesNotFitError, match="region 'sram' holds 12288 bytes and 4321 more"):
        build_firmware(board, tmp_path / "model", [kernel], toolchain, tmp_path / "out", cache=tmp_path / "cache")
    calls = (tools / "calls").read_text(encoding="utf-8").splitlines()
    assert all("-mthumb -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard -std=c99 -Wall" in call for call in calls)
    assert sum("-DTN_PROFILE" in call for call in calls) == 1


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
@pytest.mark.parametrize("name", FIRMWARE_BOARDS)
def test_gcc_builds_firmware_that_runs(name: str, toolchain: Toolchain, tmp_path: Path) -> None:
    board = load_board(name)
    kernel = write_model(
        tmp_path,
        calls=["copy(model_arena, model_arena + 64, 64);"],
        declarations=DECLARATION,
        kernel=COPY_KERNEL,
        size=64,
        output_offset=64,
    )
    firmware = build_firmware(board, tmp_path / "model", [kernel], toolchain, tmp_path / "out")
    assert firmware.flash_bytes < 4096
    device = Device(VirtualBoard(board, firmware.elf))
    assert device.infer(bytes(range(64))) == bytes(range(64))
    assert device.memory().static_sram_bytes == firmware.static_sram_bytes


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
def test_overflow_as_the_gnu_linker_reports_it(toolchain: Toolchain, tmp_path: Path) -> None:
    kernel = write_model(
        tmp_path,
        calls=["copy(model_arena, model_arena, 8);"],
        declarations=DECLARATION,
        kernel=COPY_KERNEL,
        arena_bytes=12300,
    )
    with pytest.raises(DoesNotFitError, match=r"region 'sram' holds 12288 bytes and \d+ more"):
        build_firmware(load_board("nucleo-f303k8"), tmp_path / "model", [kernel], toolchain, tmp_path / "out")
