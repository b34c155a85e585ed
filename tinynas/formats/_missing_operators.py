"""The message about all operators of a file that are not supported, with what to do instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tinynas.formats._errors import FormatError
from tinynas.formats._flatbuffer import FileModel, FileOperator
from tinynas.formats._operators import NAME_OF_CODE, kind_of
from tinynas.graph import Rewritten, short_name

_STATE = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
_CONTROL_FLOW = ("IF", "WHILE", "CALL")
_MOST_NAMES = 10


def require_supported_operators(model: FileModel, label: str, computed: frozenset[int]) -> None:
    """Check that every operator of a file is supported.

    Args:
        model: The file.
        label: What to call it.
        computed: The tensors that follow from constants alone.

    Raises:
        FormatError: Some are not: one line with all of them, how often each is there, and what to do.
    """
    missing = Counter(_name(operator) for operator in model.operators if not _supported(operator, computed))
    if not missing:
        if model.subgraphs > 1:
            raise FormatError(f"{label}: has {model.subgraphs} subgraphs, one is supported: export one signature alone")
        return
    state = {name: missing.pop(name) for name in _STATE if name in missing}
    facts = [f"{label}: "]
    if state:
        facts.append(f"the network keeps state between inferences ({_counted(state)}), which is not supported yet")
    if missing:
        facts.append(f"{'; nor are' if state else 'not supported:'} {_counted(missing)}")
    raise FormatError(f"{''.join(facts)}; {_advice(missing, has_state=bool(state))}")


def _supported(operator: FileOperator, computed: frozenset[int]) -> bool:
    kind = kind_of(operator)
    if kind is None:
        return False
    return kind.spec.rewritten is not Rewritten.AS_CONSTANT or computed.issuperset(operator.outputs)


def _name(operator: FileOperator) -> str:
    if operator.custom_name:
        return f"custom {short_name(operator.custom_name)!r}"
    return NAME_OF_CODE.get(operator.builtin_code, f"builtin code {operator.builtin_code}")


def _counted(names: Mapping[str, int]) -> str:
    """Names with how often each is there, the most frequent first."""
    ranked = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} ({count})" for name, count in ranked[:_MOST_NAMES])
    left = len(ranked) - _MOST_NAMES
    return shown if left <= 0 else f"{shown} and {left} more kinds ({sum(count for _, count in ranked[_MOST_NAMES:])})"


def _advice(missing: Mapping[str, int], *, has_state: bool) -> str:
    if any("ethos-u" in name for name in missing):
        return "the file is compiled for an Ethos-U: give the one that Vela was given"
    if any(name.startswith("custom 'Flex") for name in missing):
        return "convert the model with TFLITE_BUILTINS only, without TensorFlow's own operators"
    if has_state:
        return "export the network without state, with all that it looks back on as its input"
    if any(name in _CONTROL_FLOW for name in missing):
        return "export the network without control flow, loops unrolled"
    return "build the model from the operators that `tinynas list operators` names"
