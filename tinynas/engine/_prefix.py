"""A prefix of the user's own for everything external that is generated, so that two networks live in one program."""

from __future__ import annotations

import re

from tinynas.errors import UsageError
from tinynas.kernels import kernel_folder

DEFAULT_PREFIX = "model"
"""What the templates write."""

_WORDS_OF_C = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    alignas alignof and and_eq asm bitand bitor bool catch char16_t char32_t char8_t class compl concept const_cast
    consteval constexpr constinit co_await co_return co_yield decltype delete dynamic_cast explicit export false friend
    mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw true try typeid typename typeof typeof_unqual
    using virtual wchar_t xor xor_eq main
"""
"""The keywords of C and C++, for both of which the header is, and `main`, whose `main.c` is the user's."""

_HEADERS = """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbit stdbool stdckdint stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype
    alloca endian features fcntl malloc memory poll pthread sched semaphore strings unistd
"""
"""Of C99 to C23, and what C libraries have beside: the exported folder is on the include path, and a `math.h` in it
would be found in place of the standard one."""

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
        PrefixError: It is no lower-case C identifier of at most 32 characters, kernels have it, or it is a word of C or
            the name of a standard header.
    """
    if not _PREFIX.fullmatch(prefix):
        raise PrefixError(f"prefix {prefix!r}: give a C identifier of at most 32 lower-case letters, digits and _")
    if prefix in ("tn", "tinynas", "hal") or prefix.startswith(("tn_", "tinynas_")):
        raise PrefixError(f"prefix {prefix!r} belongs to the kernels: choose another one")
    if prefix in _WORDS_OF_C.split():
        raise PrefixError(f"prefix {prefix!r} is a word of C: choose another one")
    if prefix in _HEADERS.split():
        raise PrefixError(f"prefix {prefix!r}: {prefix}.h would hide the standard header, choose another one")
    if any(kernel_folder().glob(f"*/{prefix}.c")):
        raise PrefixError(f"prefix {prefix!r} is the name of a kernel's file: choose another one")


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
