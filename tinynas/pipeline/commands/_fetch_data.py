"""What `tinynas data fetch` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinynas.pipeline._progress import Progress, SilentProgress
from tinynas.training import fetch_dataset


def fetch_data(name: str, *, directory: Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Download a known data set unless it is there.

    Args:
        name: the data set.
        directory: the data directory; the environment's TINYNAS_DATA, else `data`, by default.
        progress: who watches.

    Returns:
        `dataset` and the `folder` that holds it.

    Raises:
        DatasetError: every source failed.
        UsageError: the name is unknown.
    """
    watch = progress or SilentProgress()
    watch.begin(f"fetch {name}", 0)
    folder = fetch_dataset(name, directory)
    watch.end(str(folder))
    return {"dataset": name, "folder": str(folder)}
