"""Kernels: one folder a family, here and in `firmware/kernels/`."""

from tinynas.kernels._files import kernel_folder, with_headers

__all__ = ["kernel_folder", "with_headers"]
