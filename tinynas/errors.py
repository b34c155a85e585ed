"""The error tree: every error a user can cause or meet inherits from `TinyNASError`.

A message is one line that says what went wrong, where, and what to do about it. The command line catches
`TinyNASError` once, prints the line and exits with `exit_code`; `--debug` shows the trace.
"""

_LONGEST_LINE = 400


class TinyNASError(Exception):
    """Base of all expected errors. `exit_code` is what the command line returns."""

    exit_code = 2


class UsageError(TinyNASError, ValueError):
    """The request is wrong: a config typo, an unknown board, a corrupt or unsupported model (exit 2)."""

    exit_code = 2


class ModelError(UsageError):
    """Something is wrong with a model: the message quotes names that come from a file.

    It is one printable line of bounded length: converters write names of many hundred characters, and the names of a
    damaged file can be anything.
    """

    def __init__(self, message: str) -> None:
        line = "".join(c if c.isprintable() else "?" for c in message)
        if len(line) > _LONGEST_LINE:
            line = f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 2 :]}"
        super().__init__(line)


class AnswerIsNo(TinyNASError):
    """The question was understood and the answer is no: does not fit, does not match (exit 1)."""

    exit_code = 1


class ExternalError(TinyNASError, RuntimeError):
    """Something outside failed: a compiler, a board, a data set, the disk (exit 3)."""

    exit_code = 3


class MissingExtraError(ExternalError, ImportError):
    """An optional dependency is not installed. Carries the name of the extra."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'tinynas[{extra}]'")
        self.package = package
        self.extra = extra
