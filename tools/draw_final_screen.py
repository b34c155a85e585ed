"""Draw the final screen of a finished run as a picture for the documentation.

python tools/draw_final_screen.py runs/fashion_mnist_f303k8 docs/images/demo.svg
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

from rich.console import Console

from tinynas.cli._run import render_result


def main() -> None:
    """Write the picture that the command line asks for."""
    parser = argparse.ArgumentParser(description="Draw the final screen of a finished run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    result = json.loads((arguments.run / "result.json").read_text())
    console = Console(record=True, width=120, file=io.StringIO(), highlight=False)
    render_result(console, result)
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(arguments.picture), title=f"tinynas run: {result['board']}")


if __name__ == "__main__":
    main()
