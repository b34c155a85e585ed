"""Contract classes are public, and the rest of the package does without pytest."""

from __future__ import annotations

import builtins
import subprocess
import sys

import pytest

import tinynas.testing
from tinynas.errors import MissingExtraError

CONTRACTS = [name for name in tinynas.testing.__all__ if name.startswith("Base")]


def test_there_is_a_contract_for_every_family() -> None:
    assert CONTRACTS == [
        "BaseEvaluatorTestCase",
        "BaseMemoryModelTestCase",
        "BaseOperatorTestCase",
        "BaseSearchMethodTestCase",
        "BaseSharedWeightsTestCase",
        "BaseSpaceTestCase",
        "BaseStrategyTestCase",
        "BaseTransportTestCase",
    ]


def test_random_networks_and_failing_lines_need_no_pytest() -> None:
    names = ", ".join(sorted(set(tinynas.testing.__all__) - set(CONTRACTS)))
    program = f"import sys; from tinynas.testing import {names}; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_without_pytest_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(MissingExtraError, match=r"^pytest is not installed: pip install 'tinynas\[test\]'$"):
        getattr(tinynas.testing, name)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="BaseFlasherTestCase"):
        _ = tinynas.testing.BaseFlasherTestCase


@pytest.mark.parametrize("name", CONTRACTS)
def test_asserts_of_a_contract_show_their_values(name: str) -> None:
    contract = getattr(tinynas.testing, name)
    # What pytest's rewriting leaves behind in a module.
    assert "@pytest_ar" in vars(sys.modules[contract.__module__])
    assert vars(sys.modules[contract.__module__])["@py_builtins"] is builtins
