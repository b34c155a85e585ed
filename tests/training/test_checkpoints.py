"""Checkpoints on a disk that fills: one line, and the last whole one stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from full_disk import room_for

from tinynas.training._checkpoint import CheckpointError, load_checkpoint, save_checkpoint


@pytest.mark.parametrize("elements", [2_000, 5_000, 500_000])
def test_a_full_disk_is_one_line_and_the_last_checkpoint_stays(elements: int, tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    save_checkpoint(path, {"weights": torch.zeros(3)})
    with room_for(8_000), pytest.raises(CheckpointError) as refused:
        save_checkpoint(path, {"weights": torch.ones(elements)})
    assert str(refused.value).startswith(f"cannot write checkpoint {path}: File too large; make room")
    assert "\n" not in str(refused.value)
    assert torch.equal(load_checkpoint(path)["weights"], torch.zeros(3))
    assert list(tmp_path.iterdir()) == [path]
