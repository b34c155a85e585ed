"""Settings of the whole suite, and the cross compilers that its tests get."""

from __future__ import annotations

import functools
import shutil
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tinynas.boards import Toolchain, load_toolchain
from tinynas.memory import kernel_memory_path, load_kernel_memory

# A busy machine must not fail a test: no deadline, and slow generation is no error. Nor may chance: examples follow
# from the test alone; `pytest --hypothesis-profile fresh` draws others.
# Hypothesis derandomizes by itself where the environment says CI, so "fresh" says that it does not.
settings.register_profile(
    "fresh", derandomize=False, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("default", settings.get_profile("fresh"), derandomize=True)
settings.load_profile("default")

_TOOLCHAIN = "toolchain"
# One object each: a compiler is asked for its version once.
_load = functools.cache(load_toolchain)


@pytest.fixture(params=["zig", "gcc"])
def toolchain(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Toolchain:
    """Both cross compilers, one after the other; for one of them, parametrize `toolchain` with `indirect=True`.

    zig is a dependency. GCC may be missing, so nothing else in the tests asks for it: `test_gcc_is_optional.py`.
    """
    if request.param == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed: apt-get install gcc-arm-none-eabi")
    found = _load(request.param)
    record_property(_TOOLCHAIN, found.version())
    return found


@pytest.fixture
def fitted_toolchain(toolchain: Toolchain) -> Toolchain:
    """`toolchain`, where it is the version whose bytes and loops the shipped models know: another compiles others."""
    fitted = load_kernel_memory(kernel_memory_path("cortex-m4f", toolchain.name), "virt-m4").provenance["compiler"]
    if toolchain.name == "gcc" and toolchain.version() != fitted:
        pytest.skip(f"the models that ship were fitted with {fitted}, this is {toolchain.version()}")
    return toolchain


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which cross compilers `toolchain` gave to tests that passed, and for what reasons others were skipped."""
    tested = {
        str(value)
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == _TOOLCHAIN
    }
    if tested:
        terminalreporter.write_line(f"cross compilers tested: {', '.join(sorted(tested))}")
    # A skipped test's longrepr: its file, its line and its reason.
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.getreports("skipped"))
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
