"""From NumPy arrays to torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tinynas.training._splits import PIXEL_SCALE


def tensor_of(array: npt.NDArray[Any]) -> torch.Tensor:
    """Return a tensor on the memory of `array`, or on a copy where torch could not write to it."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def images_to_tensor(images: npt.NDArray[np.uint8], device: torch.device | str = "cpu") -> torch.Tensor:
    """Return uint8 images as the network sees them: float32 pixel / 255, [N, H, W, C], in memory of their own."""
    return tensor_of(images).to(device).to(torch.float32, copy=True).mul_(PIXEL_SCALE)


def shared(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy of `tensor` in memory that other processes can map."""
    copy = tensor.detach().clone()
    copy.share_memory_()  # type: ignore[no-untyped-call]
    return copy
