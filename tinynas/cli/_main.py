"""The entry point: the list of commands, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from tinynas import __version__
from tinynas.cli import _boards, _calibrate, _data, _export, _inspect, _list, _measure, _report, _run, _space
from tinynas.errors import TinyNASError

# The disk, not the program: full, over quota, over the file size limit, read-only.
_STORAGE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})

_DEFECT = 70  # sysexits.h: EX_SOFTWARE; 1 would say that the answer is no

# Typer bundles its parser in some releases and depends on click in others; its usage errors are BadParameter's kin.
_ParserError: type[Exception] = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130  # 128 + SIGINT: the convention of shells; typer turns KeyboardInterrupt into it

app = typer.Typer(
    name="tinynas",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tinynas {__version__}")
        raise typer.Exit


@app.callback(
    help="Neural architecture search for microcontrollers: a board and a data set in, an int8 network that provably "
    "fits and the firmware that runs it out. Any command also takes --debug: show the trace of an error."
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command("run")(_run.run)
app.command("space")(_space.space)
app.command("inspect")(_inspect.inspect)
app.command("measure")(_measure.measure)
app.command("calibrate")(_calibrate.calibrate)
app.command("export")(_export.export)
app.command("boards")(_boards.boards)
app.command("list")(_list.list_parts)
app.add_typer(_data.app, name="data")
app.command("report")(_report.report)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code.

    0 done; 1 the answer is no; 2 wrong use; 3 the outside failed; 70 a defect; 130 interrupted. Errors are one line
    on stderr; with `--json`, stdout carries `{"error": ...}` as well.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    sys.exit(_run_command([word for word in words if word != "--debug"], debug=debug))


def _run_command(words: list[str], *, debug: bool) -> int:
    if not words:
        words = ["--help"]
    try:
        code = app(words, standalone_mode=False)
    except TinyNASError as error:
        return _fail(str(error), error.exit_code, words, debug=debug)
    except _ParserError as error:
        text = getattr(error, "format_message", error.__str__)()
        # Typer's parser reports an unknown choice as pydantic does a failed check.
        return _fail(text.replace(": Value error, ", ": "), 2, words, debug=debug)
    except OSError as error:
        where = error.filename if error.filename is not None else "a file"
        if error.errno in _STORAGE_ERRNOS:
            return _fail(f"cannot write {where}: {error.strerror}; make room and try again", 3, words, debug=debug)
        return _fail(f"cannot use {where}: {error.strerror or error}; mend that and try again", 3, words, debug=debug)
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"[:200]
        return _fail(f"a defect of TinyNAS, please report it: {what}", _DEFECT, words, debug=False)
    if code == _INTERRUPTED:
        continues = words[0] == "run" or any(word.partition("=")[0] == "--pick" for word in words)
        again = "; what is finished is kept, the same command continues the run" if continues else ""
        typer.echo(f"tinynas: interrupted{again}", err=True)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int, words: Sequence[str], *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    line = " ".join(message.split())
    typer.echo(f"tinynas: {line}", err=True)
    if "--json" in words:
        typer.echo(json.dumps({"error": line, "exit_code": code}))
    return code
