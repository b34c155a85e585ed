"""Where arm-none-eabi-gcc is missing tests skip, since only the fixture `toolchain` asks for it."""

from __future__ import annotations

import re
from pathlib import Path

_TESTS = Path(__file__).parent
_ASKS_FOR_GCC = re.compile(r"arm-none-eabi|GccToolchain|load_toolchain\((?!\"zig\"\))")
_MAY_ASK = {
    "conftest.py",
    "test_gcc_is_optional.py",
    "boards/test_build.py",  # the message where it is missing, and a stand-in for it
    "cli/test_error_lines.py",  # the message where it is missing
}


def test_only_the_fixture_asks_for_gcc() -> None:
    asking = {path for path in _TESTS.rglob("*.py") if _ASKS_FOR_GCC.search(path.read_text(encoding="utf-8"))}
    assert {path.relative_to(_TESTS).as_posix() for path in asking} == _MAY_ASK
