from __future__ import annotations

import shutil

import pytest
from host_models import HostModel, build_models
from network_cases import channel_buffers, random_graphs

from tinynas.kernels import InstructionSet


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> list[HostModel]:
    """Networks of all operators, compiled once for the session."""
    networks = [*random_graphs(range(30)), channel_buffers()]
    for_armv6m = [*random_graphs(range(10)), channel_buffers()]
    instruction_sets = [InstructionSet.DSP] * len(networks) + [InstructionSet.ARMV6M] * len(for_armv6m)
    folder = tmp_path_factory.mktemp("random")
    return build_models([*networks, *for_armv6m], folder, instruction_sets=instruction_sets)


@pytest.fixture
def host_gcc() -> str:
    """A GCC that compiles for this machine."""
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    return found
