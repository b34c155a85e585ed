"""Stack frames that GCC reports belong to the functions in its object files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinynas.boards import Toolchain
from tinynas.targets import CORES

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from object_sections import read_object, read_stack_usage

_SOURCE = """
int leaf(int a);
int other(int a) __attribute__((alias("leaf")));
__attribute__((noinline)) int leaf(int a) { volatile int room[10] = {0}; return room[a] + a; }
static __attribute__((noinline)) int scaled(int a, int by)
{
    volatile int room[30] = {0};
    return leaf(a) * by + room[0];
}
int entry(int a);
int entry(int a) { return scaled(a, 7) + scaled(a + 1, 7); }
"""


def test_rows_are_function_and_bytes() -> None:
    text = "a.c:3:5:f\t24\tstatic\n/x y/b.c:10:1:g.constprop\t0\tstatic\n"
    assert read_stack_usage(text) == {"f": 24, "g.constprop": 0}


@pytest.mark.parametrize("kind", ["dynamic", "dynamic,bounded"])
def test_a_frame_without_a_fixed_size_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="no fixed size"):
        read_stack_usage(f"a.c:3:5:f\t24\t{kind}\n")


@pytest.mark.parametrize("toolchain", ["gcc"], indirect=True)
def test_clones_and_aliases_have_the_frame_of_their_function(toolchain: Toolchain, tmp_path: Path) -> None:
    source, output = tmp_path / "code.c", tmp_path / "code.o"
    source.write_text(_SOURCE)
    toolchain.compile(CORES["cortex-m0plus"], source, output, ["-O2", "-fstack-usage"])
    frames = read_stack_usage(output.with_suffix(".su").read_text())
    sections = {s.name.split(".text.")[-1]: s.frame_bytes for s in read_object(output, "code.c", frames).sections}
    assert sections["leaf"] == frames["leaf"] >= 40
    clone = next(name for name in sections if name.startswith("scaled"))
    assert sections[clone] >= 120
    del frames["leaf"]
    with pytest.raises(ValueError, match="no stack frame"):
        read_object(output, "code.c", frames)
