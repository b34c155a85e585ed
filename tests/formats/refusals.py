"""The one line by which a file is refused."""

from __future__ import annotations

import pytest

from tinynas.formats import FormatError, read_tflite


def refusal(content: bytes) -> str:
    """What is said of `content` when it is read; one printable line."""
    with pytest.raises(FormatError) as caught:
        read_tflite(content)
    line = str(caught.value)
    assert line.isprintable()
    assert 10 < len(line) <= 410
    return line
