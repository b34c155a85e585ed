"""The firmware's own fault handler, entered as the core enters it: with an exception frame on the stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_models import build_body

from tinynas.boards import Device, DeviceError, Status, VirtualBoard
from tinynas.targets import load_board

# Exception frame: r0, r1, r2, r3, r12, lr, pc, xPSR (DDI 0403, B1.5.6).
_WITH_FRAME = """
__asm volatile(
  "ldr r5, =0x08004321\\n\\tldr r6, =0x08001234\\n\\t"
  "push {r0-r7}\\n\\tldr r0, =tn_fault_handler\\n\\tbx r0" ::: "r5", "r6", "memory");
"""
_WITHOUT_STACK = (
    '__asm volatile("ldr r0, =0x0ffffe00\\n\\tmov sp, r0\\n\\tldr r0, =tn_fault_handler\\n\\tbx r0" ::: "memory");'
)
BOARDS = ["nucleo-f303k8", "virt-m0plus", "virt-m7", "virt-m33"]


def _report(name: str, folder: Path, body: str) -> list[str]:
    """Run into the fault handler; ask three times what happened."""
    board = load_board(name)
    device = Device(VirtualBoard(board, build_body(board, folder, f"(void)values; {body}").elf))
    device.hello()
    reports = []
    for request in (device.run, device.hello, device.memory):
        with pytest.raises(DeviceError) as caught:
            request()
        assert caught.value.status == Status.FAULT
        reports.append(str(caught.value))
    return reports


@pytest.mark.parametrize("name", BOARDS)
def test_pc_and_lr_of_the_fault_are_reported_to_every_request(name: str, tmp_path: Path) -> None:
    reports = _report(name, tmp_path, _WITH_FRAME)
    assert len(set(reports)) == 1
    assert "at pc 0x08001234 (lr 0x08004321," in reports[0]


@pytest.mark.parametrize("name", BOARDS)
def test_a_lost_stack_does_not_keep_it_from_reporting(name: str, tmp_path: Path) -> None:
    assert "at pc 0x00000000 (lr 0x00000000," in _report(name, tmp_path, _WITHOUT_STACK)[0]
