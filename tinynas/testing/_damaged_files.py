"""Damaged .tflite files: what a broken disk, a broken converter or an attacker would hand to the reader."""

from __future__ import annotations

import copy
import math
import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinynas.testing._damaged_networks import damage_network

_INTEGERS = (0, 1, 2, 3, 4, 5, 7, 8, 127, 128, 255, 256, 4096, 65535, 65536, 1 << 24, (1 << 31) - 1)
_FLOATS = (0.0, -0.0, -1.0, 1.0, 1e-45, 1e-38, 1e-10, 1e10, 3e38, math.inf, -math.inf, math.nan)
_WORDS = (0, 1, 4, 0x7F, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_MOST_COPIES = 40
_ATTEMPTS = 8


class FileDamager:
    """Makes damaged copies of one model file, each from its own random numbers.

    A third of them change bytes: flipped bits, overwritten words, pieces cut off, moved or repeated. A third change
    fields and write the file anew, so that it decodes: any field at all. A third change the network and keep the rest
    of it consistent, see `_damaged_networks`.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))

    def damaged(self, rng: np.random.Generator) -> bytes:
        """One damaged file."""
        return (self.with_bytes_changed, self.with_fields_changed, self.with_network_changed)[rng.integers(3)](rng)

    def with_bytes_changed(self, rng: np.random.Generator) -> bytes:
        """The file with one kind of damage to its bytes."""
        content = bytearray(self._content)
        damage = _BYTE_DAMAGE[rng.integers(len(_BYTE_DAMAGE))]
        return bytes(damage(content, rng))

    def with_fields_changed(self, rng: np.random.Generator) -> bytes:
        """The file written anew with one to three fields changed."""
        tensors = len(self._model.subgraphs[0].tensors)

        def change(model: Any) -> None:
            for _ in range(int(rng.integers(1, 4))):
                _change_field(model, tensors, rng)

        return self._rewritten(change, rng)

    def with_network_changed(self, rng: np.random.Generator) -> bytes:
        """The file written anew with one to three things about its network changed."""
        return self._rewritten(lambda model: damage_network(model, rng), rng)

    def _rewritten(self, change: Callable[[Any], None], rng: np.random.Generator) -> bytes:
        """The file written anew after `change`. Changes that cannot be written are drawn again."""
        for _ in range(_ATTEMPTS):
            model = _without_data(self._model)
            change(model)
            builder = flatbuffers.Builder(1 << 16)
            try:
                builder.Finish(model.Pack(builder), b"TFL3")
            except (struct.error, TypeError, ValueError, OverflowError, AttributeError, IndexError):
                continue  # a number that its field cannot hold
            return bytes(builder.Output())
        return self.with_bytes_changed(rng)


def _flip(content: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 17))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return content


def _flip_structure(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Bits near the two ends, where tables and offsets lie: weights fill the middle."""
    for _ in range(int(rng.integers(1, 5))):
        near = int(rng.integers(min(len(content), 4096)))
        content[near if rng.random() < 0.5 else -1 - near] ^= 1 << int(rng.integers(8))
    return content


def _overwrite(content: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(1, 4))):
        position = 4 * int(rng.integers(len(content) // 4))
        struct.pack_into("<I", content, position, _WORDS[rng.integers(len(_WORDS))])
    return content


def _truncate(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: int(rng.integers(len(content)))]


def _remove(content: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(len(content)))
    del content[start : start + int(rng.integers(1, 256))]
    return content


def _repeat(content: bytearray, rng: np.random.Generator) -> bytearray:
    start, target = (int(rng.integers(len(content))) for _ in range(2))
    content[target:target] = content[start : start + int(rng.integers(1, 256))]
    return content


def _exchange(content: bytearray, rng: np.random.Generator) -> bytearray:
    size = int(rng.integers(1, 65))
    a, b = (int(rng.integers(max(len(content) - size, 1))) for _ in range(2))
    content[a : a + size], content[b : b + size] = content[b : b + size], content[a : a + size]
    return content


_BYTE_DAMAGE: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    _flip,
    _flip_structure,
    _flip_structure,
    _overwrite,
    _overwrite,
    _truncate,
    _remove,
    _repeat,
    _exchange,
)


def _without_data(model: Any) -> Any:
    """A copy that shares the bytes of the weights, which changes replace and never write to."""
    memo = {id(buffer.data): buffer.data for buffer in model.buffers if buffer.data is not None}
    return copy.deepcopy(model, memo)


def _fields(value: Any, found: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    """(object, attribute) of everything below `value`."""
    for name, item in vars(value).items():
        found.append((value, name))
        for child in item if isinstance(item, list) else [item]:
            if hasattr(child, "__dict__"):
                _fields(child, found)
    return found


def _change_field(model: Any, tensors: int, rng: np.random.Generator) -> None:
    """Change a random field: of the operators or tensors nine times in ten."""
    if not model.subgraphs:
        return  # an earlier change took them
    graph = model.subgraphs[0]
    roots = [graph.operators, graph.tensors, [graph], model.buffers, model.operatorCodes, [model]]
    root = roots[rng.choice(len(roots), p=(0.4, 0.35, 0.1, 0.05, 0.05, 0.05))]
    if not root:
        return
    start = root[int(rng.integers(len(root)))]
    found = _fields(start, []) if start not in (graph, model) else [(start, name) for name in vars(start)]
    owner, name = found[int(rng.integers(len(found)))]
    setattr(owner, name, _changed(getattr(owner, name), tensors, rng))


def _changed(value: Any, tensors: int, rng: np.random.Generator) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | np.integer):
        return _integer(int(value), tensors, rng)
    if isinstance(value, float | np.floating):
        return float(_FLOATS[rng.integers(len(_FLOATS))])
    if isinstance(value, bytes | str):
        return (b"", b"\xff\x00\n" * 40, b"a" * 3000)[rng.integers(3)]
    if isinstance(value, list | np.ndarray):
        return _changed_vector(list(value), tensors, rng)
    return None if value is not None or rng.random() < 0.5 else [int(rng.integers(-2, tensors + 2))]


def _integer(value: int, tensors: int, rng: np.random.Generator) -> int:
    choice = rng.random()
    if choice < 0.3:
        return int(rng.integers(-2, tensors + 1))  # another tensor, often one that is written later
    if choice < 0.6:
        return value + int(rng.integers(-2, 3))
    chosen = _INTEGERS[rng.integers(len(_INTEGERS))]
    return -chosen if rng.random() < 0.3 else chosen


def _changed_vector(values: list[Any], tensors: int, rng: np.random.Generator) -> list[Any] | None:
    choice = int(rng.integers(8))
    place = int(rng.integers(len(values))) if values else 0
    if choice == 0:
        return None
    if choice == 1:
        return []
    if choice == 2 and values:
        del values[place]
    elif choice == 3 and values:
        values.insert(place, values[int(rng.integers(len(values)))])
    elif choice == 4:
        values = (values or [0])[:64] * _MOST_COPIES
    elif choice == 5 and len(values) > 1:
        other = int(rng.integers(len(values)))
        values[place], values[other] = values[other], values[place]
    elif values and not hasattr(values[place], "__dict__"):
        values[place] = _changed(values[place], tensors, rng)
    return values
