"""Write docs/operators.md: the operators of model files, those of our engine beside TFLM's.

Ours are what their specs say (`tinynas/graph/ops/`). TFLM's are those that the installed wheel `tflite-micro` knows: it
is given a file with one operator of each kind.

    tools/write_operators_page.py [--check]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tinynas.graph import OpKind
from tinynas.kernels import CATALOGUE
from tinynas.pipeline import parts_of
from tinynas.plugins import OWN

PAGE = Path(__file__).parents[1] / "docs" / "operators.md"
_UNKNOWN = b"Didn't find op"
_ASKED = b"the wheel is there"
_ASK = f"""
import sys
from tflite_micro import runtime
print({_ASKED.decode()!r}, flush=True)
runtime.Interpreter.from_bytes(sys.stdin.buffer.read())
"""
_NO_BUILTINS = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")

_HEAD = """# Operators of model files
This page is written by `tools/write_operators_page.py` from what each operator's spec says;
[adding-an-operator.md](adding-an-operator.md) is how to add one. `tinynas list operators` has those of plugins as well.

**TFLM** are the operators that `tflite-micro` {tflm} knows. **Kernels** are what our engine has for an
operator, or what becomes of it; {kernels} kernels in all ([engine.md](engine.md)).

| operator | what it computes | here | kernels | TFLM |
|---|---|---|---|---|
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with --check, return 1 if it is another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is out of date")
    options = parser.parse_args(arguments)
    text = page(tflm_operators())
    if options.check:
        if PAGE.read_text("utf-8") == text:
            return 0
        print(f"{PAGE.name} is out of date: run tools/write_operators_page.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, "utf-8")
    print(f"wrote {PAGE}")
    return 0


def page(tflm: Sequence[str]) -> str:
    """The page, given the names of TFLM's operators."""
    kernels = {part.name: part.description for part in parts_of("operators")["operators"] if part.source == OWN}
    rows = []
    for name in sorted({*kernels, *tflm}):
        known = "yes" if name in tflm else "no"
        if name in kernels:
            spec = OpKind(name).spec
            rows.append(f"| `{name}` | {spec.description} | {spec.support} | {kernels[name]} | {known} |")
        else:
            rows.append(f"| `{name}` | | no | | {known} |")
    executable = sum(bool(variant.kinds) for variant in CATALOGUE.values())
    head = _HEAD.format(tflm=version("tflite-micro"), kernels=executable)
    both = len(kernels.keys() & set(tflm))
    tail = f"\n{len(kernels)} operators here, {len(tflm)} of TFLM, {both} of both.\n"
    return head + "\n".join(rows) + "\n" + tail


def tflm_operators() -> list[str]:
    """The operators of the schema that the installed TFLM knows."""
    names = [name for name in vars(schema.BuiltinOperator) if not name.startswith("_") and name not in _NO_BUILTINS]
    return [name for name in sorted(names) if _UNKNOWN not in _messages(_file_with(name))]


def _file_with(name: str) -> bytes:
    """A file of one operator, which TFLM looks up before it looks at anything else."""
    tensor, graph, operator, code = schema.TensorT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = "x", [1], schema.TensorType.FLOAT32, 0
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [0]
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    code.version = 1
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], [0], [operator]
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], [code], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _messages(content: bytes) -> bytes:
    """What TFLM says to a file, in a process of its own: a kernel may not survive an operator that makes no sense."""
    result = subprocess.run([sys.executable, "-c", _ASK], input=content, capture_output=True, check=False)
    if _ASKED not in result.stdout:
        raise RuntimeError(f"TFLM was not asked: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout + result.stderr


if __name__ == "__main__":
    sys.exit(main())
