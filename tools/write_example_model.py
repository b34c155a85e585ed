"""Write a small quantized network with random weights, to try `tinynas inspect` and `tinynas measure` on.

python tools/write_example_model.py model.tflite [--seed N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tinynas.formats import write_tflite
from tinynas.graph import OpKind
from tinynas.testing import random_int8_graph

KINDS = (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.ADD, OpKind.AVERAGE_POOL_2D, OpKind.FULLY_CONNECTED)


def main() -> None:
    """Write the model that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write a small quantized network with random weights.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_tflite(random_int8_graph(np.random.default_rng(arguments.seed), operators=10, kinds=KINDS), arguments.path)


if __name__ == "__main__":
    main()
