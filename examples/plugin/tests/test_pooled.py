"""The space keeps the contract of all spaces, and its blocks can share weights in a supernet."""

from __future__ import annotations

import pytest

from tinynas.spaces import SearchSpace, load_space
from tinynas.testing import BaseSharedWeightsTestCase, BaseSpaceTestCase


class TestPooledTiny(BaseSpaceTestCase, BaseSharedWeightsTestCase):
    """The space, by its name."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        return load_space("pooled-tiny")
