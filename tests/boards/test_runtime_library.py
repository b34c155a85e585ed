"""The runtime's own arithmetic and memory functions, compiled for this host and compared with Python's."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.boards._toolchain import run_tool, zig_executable
from tinynas.targets import resource_path

U32 = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
I32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)])
U64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
I64 = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    output = tmp_path_factory.mktemp("library") / "runtime.so"
    runtime = resource_path("firmware") / "runtime"
    flags = [
        "-shared",
        "-Os",
        "-nostdlib",
        "-ffreestanding",
        "-fno-builtin",
        "-fno-sanitize=undefined",
        "-Wl,-Bsymbolic",
    ]
    run_tool([zig_executable(), "cc", *flags, str(runtime / "aeabi.c"), str(runtime / "memory.c"), "-o", str(output)])
    return ctypes.CDLL(str(output))


def _call(library: ctypes.CDLL, name: str, result: type, *arguments: object) -> int:
    function = getattr(library, name)
    function.restype = result
    return int(function(*arguments))


@given(a=U64, b=U64)
def test_multiplication(library: ctypes.CDLL, a: int, b: int) -> None:
    found = _call(library, "__aeabi_lmul", ctypes.c_uint64, ctypes.c_uint64(a), ctypes.c_uint64(b))
    assert found == a * b % 2**64


@given(value=U64, shift=st.integers(0, 63))
def test_shifts(library: ctypes.CDLL, value: int, shift: int) -> None:
    def shifted(name: str) -> int:
        return _call(library, name, ctypes.c_uint64, ctypes.c_uint64(value), ctypes.c_uint32(shift))

    assert shifted("__aeabi_llsl") == (value << shift) % 2**64
    assert shifted("__aeabi_llsr") == value >> shift


@given(value=I64, shift=st.integers(0, 63))
def test_arithmetic_shift(library: ctypes.CDLL, value: int, shift: int) -> None:
    found = _call(library, "__aeabi_lasr", ctypes.c_int64, ctypes.c_int64(value), ctypes.c_uint32(shift))
    assert found == value >> shift


@given(numerator=U32, denominator=U32.filter(bool))
def test_unsigned_division(library: ctypes.CDLL, numerator: int, denominator: int) -> None:
    arguments = ctypes.c_uint32(numerator), ctypes.c_uint32(denominator)
    both = _call(library, "__aeabi_uidivmod", ctypes.c_uint64, *arguments)
    assert (both % 2**32, both >> 32) == divmod(numerator, denominator)
    assert _call(library, "__aeabi_uidiv", ctypes.c_uint32, *arguments) == numerator // denominator


@given(numerator=I32, denominator=I32.filter(bool))
def test_signed_division_truncates(library: ctypes.CDLL, numerator: int, denominator: int) -> None:
    quotient = abs(numerator) // abs(denominator) * (1 if (numerator < 0) == (denominator < 0) else -1)
    remainder = numerator - quotient * denominator
    arguments = ctypes.c_int32(numerator), ctypes.c_int32(denominator)
    both = _call(library, "__aeabi_idivmod", ctypes.c_uint64, *arguments)
    assert ctypes.c_int32(both % 2**32).value == ctypes.c_int32(quotient).value
    assert ctypes.c_int32(both >> 32).value == remainder
    assert _call(library, "__aeabi_idiv", ctypes.c_int32, *arguments) == ctypes.c_int32(quotient).value


@given(
    data=st.binary(min_size=1, max_size=80),
    source=st.integers(0, 40),
    target=st.integers(0, 40),
    size=st.integers(0, 40),
)
@settings(max_examples=300)
def test_memmove_of_overlapping_ranges(library: ctypes.CDLL, data: bytes, source: int, target: int, size: int) -> None:
    expected = bytearray(data.ljust(80, b"\x5a"))
    buffer = ctypes.create_string_buffer(bytes(expected), 80)
    start = ctypes.addressof(buffer)
    expected[target : target + size] = expected[source : source + size]
    library.memmove(ctypes.c_void_p(start + target), ctypes.c_void_p(start + source), ctypes.c_size_t(size))
    assert buffer.raw == bytes(expected)


@given(offset=st.integers(0, 9), source=st.integers(0, 9), size=st.integers(0, 40), value=st.integers(0, 255))
def test_memcpy_and_memset(library: ctypes.CDLL, offset: int, source: int, size: int, value: int) -> None:
    origin = ctypes.create_string_buffer(bytes(range(1, 61)), 60)
    buffer = ctypes.create_string_buffer(60)
    target = ctypes.c_void_p(ctypes.addressof(buffer) + offset)
    library.memcpy(target, ctypes.c_void_p(ctypes.addressof(origin) + source), ctypes.c_size_t(size))
    assert buffer.raw[offset : offset + size] == origin.raw[source : source + size]
    assert buffer.raw[offset + size :].strip(b"\0") == b""
    library.memset(target, value, ctypes.c_size_t(size))
    assert buffer.raw == bytes(offset) + bytes([value]) * size + bytes(60 - offset - size)


@pytest.mark.parametrize("name", ["__aeabi_memset", "__aeabi_memset4", "__aeabi_memset8"])
def test_memset_of_the_abi_takes_the_size_first(library: ctypes.CDLL, name: str) -> None:
    buffer = ctypes.create_string_buffer(16)
    getattr(library, name)(ctypes.byref(buffer), ctypes.c_size_t(5), 7)
    assert buffer.raw == bytes([7] * 5 + [0] * 11)


def test_sources_are_where_the_package_says() -> None:
    assert isinstance(resource_path("firmware"), Path)
    assert (resource_path("firmware") / "linker" / "firmware.ld.j2").is_file()
