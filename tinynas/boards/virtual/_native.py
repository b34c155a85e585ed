"""The hooks written in C: built once for this host with zig, loaded with ctypes. Mirrors the structures of hooks.c."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import tempfile
from pathlib import Path

from .._cache import private_cache
from .._toolchain import run_tool, zig_executable

STEP_LIMIT = 4096
_CACHE_ENTRIES = 1 << 14


class Access(ctypes.Structure):
    """`struct access`: loads and stores of a block whose alignment depends on registers."""

    _fields_ = (
        ("coefficients", ctypes.c_uint32),
        ("constant", ctypes.c_uint32),
        ("penalties", ctypes.c_uint32 * 4),
    )


class Block(ctypes.Structure):
    """`struct block`: what a block takes, and how often it was executed."""

    _fields_ = (
        ("other", ctypes.c_void_p),
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("instructions", ctypes.c_uint32),
        ("cycles", ctypes.c_uint32),
        ("joined", ctypes.c_int32),
        ("taken", ctypes.c_uint32),
        ("ends_with_branch", ctypes.c_uint32),
        ("access_count", ctypes.c_uint32),
        ("accesses", ctypes.POINTER(Access)),
        ("executions", ctypes.c_uint64),
        ("more_cycles", ctypes.c_int64),
    )


FindBlock = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


class Counter(ctypes.Structure):
    """`struct counter`: instructions and cycles since reset, and per call of model_invoke."""

    _fields_ = (
        ("reg_read", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("find", FindBlock),
        ("blocks", ctypes.POINTER(ctypes.c_void_p)),
        ("code_address", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("registers", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("invoke_address", ctypes.c_uint32),
        ("invoke_end", ctypes.c_uint32),
        ("calls_address", ctypes.c_uint32),
        ("calls_end", ctypes.c_uint32),
        ("boundaries", ctypes.c_char_p),
        ("by_rows", ctypes.c_uint32),
        ("instructions", ctypes.c_uint64),
        ("cycles", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("limit_reached", ctypes.c_uint32),
        ("unknown", ctypes.c_uint32),
        ("active", ctypes.c_uint32),
        ("return_address", ctypes.c_uint32),
        ("step", ctypes.c_uint32),
        ("inferences", ctypes.c_uint32),
        ("last", ctypes.c_void_p),
        ("step_cycles", ctypes.c_void_p),
        ("steps", ctypes.c_uint64 * STEP_LIMIT),
        ("cycles_of_steps", ctypes.c_uint64 * STEP_LIMIT),
    )


class TimedInstruction(ctypes.Structure):
    """`struct timed_instruction`: one whose cycles depend on flags, operands or an address."""

    _fields_ = (
        ("counter", ctypes.POINTER(Counter)),
        ("condition", ctypes.c_uint32),
        ("executed", ctypes.c_int32),
        ("access", Access),
        ("dividend", ctypes.c_int32),
        ("divisor", ctypes.c_int32),
        ("is_signed", ctypes.c_uint32),
        ("most", ctypes.c_uint32),
    )


class InstructionNeeds(ctypes.Structure):
    """`struct instruction_needs`: what the instruction at one halfword needs."""

    _fields_ = (("window", ctypes.c_uint16), ("base", ctypes.c_uint8), ("fpu", ctypes.c_uint8))


class _CheckedBlock(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("bases", ctypes.c_uint32),
        ("fpu_at", ctypes.c_uint32),
    )


class BlockChecks(ctypes.Structure):
    """`struct block_checks`: what is checked on entry to a block, and what failed."""

    _fields_ = (
        ("reg_read", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("needs", ctypes.POINTER(InstructionNeeds)),
        ("code_address", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("registers", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("fpu_enabled", ctypes.c_uint32),
        ("failed_at", ctypes.c_uint32),
        ("failed_address", ctypes.c_uint32),
        ("cache", _CheckedBlock * _CACHE_ENTRIES),
    )


class RegisterCheck(ctypes.Structure):
    """`struct register_check`: a register that an instruction needs aligned."""

    _fields_ = (
        ("checks", ctypes.POINTER(BlockChecks)),
        ("instruction", ctypes.c_uint32),
        ("base", ctypes.c_uint32),
        ("condition", ctypes.c_uint32),
    )


class AccessWatch(ctypes.Structure):
    """`struct access_watch`: a stretch of memory with a right for each byte, and what was accessed without."""

    _fields_ = (
        ("reg_read", ctypes.c_void_p),
        ("reg_write", ctypes.c_void_p),
        ("rights", ctypes.c_void_p),
        ("address", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("pc", ctypes.c_int32),
        ("flags", ctypes.c_int32),
        ("reads", ctypes.c_uint32),
        ("writes", ctypes.c_uint32),
        ("first_pc", ctypes.c_uint32),
        ("first_address", ctypes.c_uint32),
        ("first_is_write", ctypes.c_uint32),
    )


@functools.cache
def load_hooks() -> ctypes.CDLL:
    """Build `hooks.c` for this host if that has not happened yet, and load it. Raises `ToolchainError`."""
    source = Path(__file__).with_name("hooks.c")
    executable = zig_executable()
    version = run_tool([executable, "version"]).strip()
    digest = hashlib.sha256(source.read_bytes() + version.encode()).hexdigest()[:24]
    cache = private_cache()
    library = cache / f"hooks-{digest}.so"
    if not library.is_file():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            output = Path(scratch) / library.name
            flags = ["-shared", "-O2", "-nostdlib", "-fno-sanitize=undefined"]
            run_tool([executable, "cc", *flags, str(source), "-o", str(output)])
            output.replace(library)
    return ctypes.CDLL(str(library))
