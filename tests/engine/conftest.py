from __future__ import annotations

import pytest
from host_models import HostModel, build_models
from network_cases import depthwise_planes, random_graphs


@pytest.fixture(scope="session")
def random_models(tmp_path_factory: pytest.TempPathFactory) -> list[HostModel]:
    """Networks of all operators, compiled once for the session."""
    return build_models([*random_graphs(range(30)), depthwise_planes()], tmp_path_factory.mktemp("random"))
