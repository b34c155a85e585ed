"""The samples of a page, run as its reader would: in an empty folder of her own that holds her `model.tflite`.

A block that begins with a comment like `# my_space.toml` is that file; the other blocks of Python are one program, in
the order of the page. Files named `test_*.py` are given to pytest.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pages import CodeBlock, Page
from public_names import is_public
from pydantic import ValidationError

from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import with_random_constants
from tinynas.lowering import StreamPlan, lower
from tinynas.memory import plan_arena
from tinynas.pipeline import RunConfig
from tinynas.spaces import SpaceError, parse_space
from tinynas.targets import Board
from tinynas.testing import random_int8_graph

LANGUAGES = ("", "c", "python", "sh", "toml")
"""What is checked here and as commands; a block without a language is a listing, and is not."""


def wrong_samples(page: Page, folder: Path) -> list[str]:
    """What is wrong with the samples of a page, which are written into an empty folder and run there."""
    findings = [
        page.finding(block.line, f"samples in {block.language} are not checked: teach tests/docs/samples.py")
        for block in page.blocks
        if block.language not in LANGUAGES
    ]
    for language, wrong in (("toml", _wrong_toml), ("c", _wrong_c), ("python", _wrong_python)):
        blocks = [block for block in page.blocks if block.language == language]
        for block in blocks:
            if name := file_name(block):
                _write(block, folder / name)
        findings += [page.finding(line, what) for line, what in wrong(blocks, folder)]
    return findings


def file_name(block: CodeBlock) -> str | None:
    """The file that a block is, from the comment with which it begins."""
    named = re.match(r"# ([\w-]+\.(?:py|toml))\n", block.text)
    return named[1] if named else None


def _write(block: CodeBlock, path: Path) -> None:
    """Adds a block to a file at the line that it has on the page, so that errors name that line."""
    text = path.read_text("utf-8") if path.exists() else ""
    path.write_text(text + "\n" * (block.line - 1 - text.count("\n")) + block.text, "utf-8")


def _wrong_toml(blocks: list[CodeBlock], _: Path) -> Iterator[tuple[int, str]]:
    for block in blocks:
        try:
            _validate_toml(block.text)
        except (ValidationError, SpaceError, tomllib.TOMLDecodeError) as error:
            yield block.line, " ".join(str(error).split())


def _validate_toml(text: str) -> Any:
    """A search space has stages, a board regions; what has neither is the configuration of a run."""
    document = tomllib.loads(text)
    if "stages" in document:
        return parse_space(text)
    return (Board if "regions" in document else RunConfig).model_validate(document)


def _wrong_c(blocks: list[CodeBlock], folder: Path) -> Iterator[tuple[int, str]]:
    """What a page declares of a generated model is in `model.h`, with the same types; programs compile with it.

    The model is one whose input comes by rows where the block is about that.
    """
    for block in blocks:
        by_rows = "model_push_row" in block.text
        graph = (_rows_network if by_rows else _any_network)()
        schedule = lower(graph, streams=[StreamPlan(0, (1,), pushed=True)] if by_rows else ())
        generate(schedule, plan_arena(schedule), folder)
        functions = re.findall(r"\b(\w+)\(", re.sub(r"/\*.*?\*/", "", block.text, flags=re.DOTALL))
        uses = "\n".join(f"    (void)&{function};" for function in functions)
        begin = "" if block.text.startswith("#") else f'#include "model.h"\nvoid uses(void)\n{{\n{uses}\n}}\n'
        source = folder / "sample.c"
        source.write_text(f"{begin}#line {block.line}\n{block.text}")
        command = [sys.executable, "-m", "ziglang", "cc", "-std=c99", "-Werror", "-c", str(source), "-o", f"{source}.o"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            yield block.line, done.stderr.partition("error: ")[2].splitlines()[0]


def _any_network() -> Graph:
    return random_int8_graph(np.random.default_rng(0), operators=2)


def _rows_network() -> Graph:
    b = GraphBuilder("rows", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 8, 3)), 4, 3, name="stem")
    return with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 3, name="head")]), 0)


def _wrong_python(blocks: list[CodeBlock], folder: Path) -> Iterator[tuple[int, str]]:
    private = [finding for block in blocks for finding in _private_imports(block)]
    if private or not blocks:
        yield from private
        return
    program = folder / "samples.py"
    for block in blocks:
        if file_name(block) is None:
            _write(block, program)
    files = {name: block for block in blocks if (name := file_name(block))}
    tests = [name for name in files if name.startswith("test_")]
    with program.open("a", encoding="utf-8") as stream:
        stream.writelines(f"\nimport {Path(name).stem}" for name in files if name not in tests)
    yield from _wrong_program([program.name], folder, blocks[0].line)
    if tests:
        # Plain assertions: what differs is not wanted, and takes minutes to tell of long lists.
        words = ["-m", "pytest", "-p", "no:cacheprovider", "-x", "--tb=native", "--assert=plain", *tests]
        yield from _wrong_program(words, folder, files[tests[0]].line)


def _private_imports(block: CodeBlock) -> Iterator[tuple[int, str]]:
    """What a sample imports of the package and is not public, although it is there."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError:
        return  # running it says so
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.startswith("tinynas") and not is_public(name):
                yield block.line + node.lineno - 1, f"{name} is not public"


def _wrong_program(words: list[str], folder: Path, line: int) -> Iterator[tuple[int, str]]:
    """Runs Python in the folder; an error is at the innermost line of the page in its trace, else at `line`."""
    command = [sys.executable, "-W", "error:::__main__", *words]  # what the samples do, not what they import
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        output = done.stdout + done.stderr
        trace, error = re.split(
            r"\n(?=\S*(?:Error|Exception|Failed|Warning)\b)", output + "\nError: no trace", maxsplit=1
        )
        files = "|".join(re.escape(path.name) for path in folder.glob("*.py"))
        lines = re.findall(rf'File "[^"]*/(?:{files})", line (\d+)', trace)
        yield int(lines[-1]) if lines else line, error.splitlines()[0]
