"""Small valid files after a change of their object trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats import write_tflite
from tinynas.graph import OpKind
from tinynas.testing import random_int8_graph


def altered(change: Callable[[Any], None], kinds: set[OpKind] | None = None, seed: int = 0) -> bytes:
    """A small valid file after `change` of its object tree."""
    rng = np.random.default_rng(seed)
    graph = random_int8_graph(rng, operators=2, kinds=kinds or {OpKind.CONV_2D})
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(write_tflite(graph), 0))
    change(model)
    builder = flatbuffers.Builder(1 << 12)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(position: int, **fields: Any) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        for name, value in fields.items():
            setattr(model.subgraphs[0].tensors[position], name, value)

    return change


def two_subgraphs(model: Any) -> None:
    model.subgraphs.append(model.subgraphs[0])


def sparse(model: Any) -> None:
    model.subgraphs[0].tensors[1].sparsity = schema.SparsityParametersT()
