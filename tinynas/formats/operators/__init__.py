"""How model files say each operator, one file an operator or a few that are written alike.

A file whose name does not begin with an underscore gives `FORMATS`. Nothing else lists them; other packages add theirs
by the entry points `tinynas.operator_formats`.
"""

import pkgutil
from importlib import import_module

from tinynas.formats._errors import FormatError
from tinynas.formats.operators._format import (
    FileNode,
    OperatorFormat,
    counted_from_zero,
    int8_version,
    is_int8,
    read_activation,
    read_padding,
    write_activation,
    write_window,
)
from tinynas.graph import OpKind
from tinynas.plugins import OWN
from tinynas.registry import Registry

__all__ = [
    "FileNode",
    "OperatorFormat",
    "counted_from_zero",
    "format_of",
    "has_format",
    "int8_version",
    "is_int8",
    "read_activation",
    "read_padding",
    "register_format",
    "write_activation",
    "write_window",
]

_FORMATS: Registry[OperatorFormat] = Registry(
    "format of an operator", OperatorFormat, FormatError, group="tinynas.operator_formats"
)

for _name in sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")):
    for _format in import_module(f"{__name__}.{_name}").FORMATS:
        _FORMATS.register(_format, OWN)


def register_format(operator_format: OperatorFormat) -> None:
    """Make known how files say an operator, for as long as the program runs; a second time, the same is no fault.

    Raises:
        FormatError: The name is taken.
    """
    _FORMATS.register(operator_format)


def has_format(kind: OpKind) -> bool:
    """Whether files can say an operator; nothing is imported."""
    return kind in _FORMATS.names()


def format_of(kind: OpKind) -> OperatorFormat:
    """How files say an operator; a plugin is imported now.

    Raises:
        FormatError: Nobody says how.
        PluginError: It is a plugin that cannot be used.
    """
    if not has_format(kind):
        raise FormatError(f"{kind} has no form in model files: whoever adds the operator adds an OperatorFormat")
    return _FORMATS.get(kind)
