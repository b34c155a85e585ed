"""Sums of channels over the pixels of an image, of which a call gets some rows: what MEAN and pooling share."""

from __future__ import annotations

from tinynas.kernels._kernel import KernelCall

PIXEL_SUM_LOOPS = {
    "ends": "1 of the last call: sums begin once and end once",
    "channels": "channels, of the last call: so do they",
    "pixels": "pixels that are added to what is there",
    "taps": "elements of these",
}


def pixels_of(call: KernelCall) -> int:
    """Pixels of the whole image."""
    shape = call.graph.tensors[call.source].shape
    return shape[1] * shape[2]


def pixel_sum_features(call: KernelCall) -> dict[str, float]:
    """Trip counts of a call."""
    assert call.sums is not None
    _, rows, width, channels = call.input.shape
    added = rows * width - call.sums.begins
    return {
        "calls": 1,
        "ends": int(call.sums.ends),
        "channels": channels * call.sums.ends,
        "pixels": added,
        "taps": added * channels,
    }


def sums_fields(call: KernelCall) -> dict[str, int]:
    """The fields of both parameter structures."""
    assert call.sums is not None
    _, rows, width, channels = call.input.shape
    return {
        "pixels": rows * width,
        "channels": channels,
        "begins": int(call.sums.begins),
        "ends": int(call.sums.ends),
    }
