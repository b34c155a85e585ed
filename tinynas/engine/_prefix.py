"""A prefix of the user's own for everything external that is generated, so that two networks live in one program."""

from __future__ import annotations

import re

from tinynas.errors import UsageError

DEFAULT_PREFIX = "model"
"""What the templates write."""

_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TOKEN = re.compile(
    r"""
    (?P<comment>/\*.*?\*/)
    | (?P<include>\#include\s+"model(?:_constants)?\.h")
    | (?P<string>"(?:[^"\\\n]|\\.)*")
    | (?P<code>[^"/\#]+|.)
    """,
    re.DOTALL | re.VERBOSE,
)
_NAME = re.compile(r"\b(TN_|TINYNAS_)?(MODEL|model)(?=_\w|\.[ch]\b)")


class PrefixError(UsageError):
    """A prefix that C, or the files of the exported folder, cannot have."""


def check_prefix(prefix: str) -> None:
    """Check a prefix before anything is written.

    Raises:
        PrefixError: It is no lower-case C identifier of at most 32 characters, or kernels have it.
    """
    if not _PREFIX.fullmatch(prefix):
        raise PrefixError(f"prefix {prefix!r}: give a C identifier of at most 32 lower-case letters, digits and _")
    if prefix in ("tn", "tinynas", "hal") or prefix.startswith(("tn_", "tinynas_")):
        raise PrefixError(f"prefix {prefix!r} belongs to the kernels: choose another one")


def with_prefix(source: str, prefix: str) -> str:
    """Generated C with `prefix` in place of "model": functions, data, macros, types, include guards and file names.

    String literals keep what they say: class names and the model's name are the user's.
    """
    return _TOKEN.sub(lambda found: _renamed(found, prefix), source)


def file_name(name: str, prefix: str) -> str:
    """The name of a generated file with the prefix: `model_constants.c` becomes `cat_constants.c`."""
    return prefix + name.removeprefix(DEFAULT_PREFIX)


def _renamed(found: re.Match[str], prefix: str) -> str:
    if found.lastgroup == "string":
        return found.group()
    return _NAME.sub(
        lambda name: (name.group(1) or "") + (prefix if name.group(2) == "model" else prefix.upper()), found.group()
    )
