"""Taps inside the input, against counting them one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tinynas.kernels._geometry import valid_taps


@given(
    size=st.integers(1, 12),
    outputs=st.integers(1, 12),
    taps=st.integers(1, 7),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 4),
    before=st.integers(0, 15),
)
def test_valid_taps(size: int, outputs: int, taps: int, stride: int, dilation: int, before: int) -> None:
    inside = [
        sum(0 <= position * stride - before + tap * dilation < size for tap in range(taps))
        for position in range(outputs)
    ]
    assert valid_taps(size, outputs, taps, stride, dilation, before) == (sum(inside), sum(n > 0 for n in inside))
