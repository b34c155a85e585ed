"""Samples run as they stand: Python and its tests, files in TOML, declarations in C."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import PAGES, Page, fail_on
from samples import wrong_samples

from tinynas.formats import write_tflite
from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.latency import with_random_constants


def network() -> Graph:
    """A residual block for which TFLM's greedy planner takes more than it must (docs/tflm.md), and a classifier."""
    b = GraphBuilder("network", DType.INT8)
    skip = b.conv_2d(b.input((1, 16, 16, 8)), 7, 1, name="first")
    x = skip
    for i, channels in enumerate((9, 8, 8)):
        x = b.conv_2d(x, channels, 1, name=f"block{i}")
    x = b.add(x, b.conv_2d(skip, 8, 1, name="skip"), name="add")
    return with_random_constants(b.build([b.fully_connected(b.mean(x), 5, name="classifier")]), seed=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the reader of a page has: a folder with a model of hers."""
    write_tflite(network(), tmp_path / "model.tflite")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_samples_run(page: Page, folder: Path) -> None:
    fail_on(wrong_samples(page, folder))


def test_the_samples_about_offline_plans_write_one(folder: Path) -> None:
    (page,) = (page for page in PAGES if page.name == "docs/tflm.md")
    fail_on(wrong_samples(page, folder))
    assert (folder / "model_planned.tflite").stat().st_size > (folder / "model.tflite").stat().st_size


_STRATEGY_WITHOUT_RESUME = """
```python
# forgetful.py
from tinynas.search import RandomSearch


class Forgetful(RandomSearch):
    def restore(self, state):
        pass
```

```python
# test_forgetful.py
from forgetful import Forgetful
from tinynas.testing import BaseStrategyTestCase


class TestForgetful(BaseStrategyTestCase):
    def strategy(self, problem, seed):
        return Forgetful(problem, seed)
```
"""


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("\n```python\nx = 1\n```\n\n```python\nprint(x + y)\n```\n", 7, "NameError: name 'y' is not defined"),
        ("```python\nfrom tinynas.search import Candidate\n```\n", 2, "tinynas.search.Candidate is not public"),
        (
            "```python\n\nfrom tinynas.search._ledger import Ledger\n```\n",
            3,
            "Ledger is not public",
        ),
        ("```python\nimport warnings\nwarnings.warn('old', DeprecationWarning)\n```\n", 3, "DeprecationWarning: old"),
        ("```python\n# mine.py\nx = 1 / 0\n```\n", 3, "ZeroDivisionError"),
        (_STRATEGY_WITHOUT_RESUME, 13, "AssertionError"),
        ('```toml\nboard = "virt-m4"\n[data]\ndataset = "d"\nshft = 1\n```\n', 2, "1 validation error for RunConfig"),
        ('```toml\nname = "x"\n[[stages]]\nwidth = 8\n```\n', 2, "text: key 'description' is missing"),
        ("```toml\nname = \n```\n", 2, "Invalid value"),
        ("```c\nint8_t *model_input(int size);\n```\n", 2, "conflicting types for 'model_input'"),
        ("```c\nvoid model_run(void);\n```\n", 2, "use of undeclared identifier 'model_run'"),
        ("```yaml\nx: 1\n```\n", 2, "samples in yaml are not checked"),
    ],
)
def test_a_wrong_sample_is_one_line(text: str, line: int, what: str, tmp_path: Path) -> None:
    (finding,) = wrong_samples(Page("docs/bad.md", text), tmp_path)
    assert what in finding
    assert "\n" not in finding
    assert finding.startswith(f"docs/bad.md:{line}:")
