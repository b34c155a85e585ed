"""Keys: one string for everything on which an answer depends."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def evaluator_key(name: str, version: int, settings: Mapping[str, Any]) -> str:
    """The key of an evaluator: its name and a digest.

    Args:
        name: of the evaluator.
        version: of its method; a change of the method that changes answers raises it.
        settings: everything else on which an answer depends, as JSON values; large ones by their digests.
    """
    content = json.dumps({"version": version, **settings}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:24]}"
