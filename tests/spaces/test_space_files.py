from __future__ import annotations

import pytest

from tinynas.spaces import SpaceError, load_space, round_channels, space_names

GOOD = """
name = "mine"
description = "a space in one file"
channel_divisor = 4
width_multipliers = [0.5, 1.0]
resolutions = [24, 32]

[stem]
width = 8
stride = 2
parameters = { kernel = 3 }

[[stages]]
block = "depthwise_separable"
width = 16
choices = { kernel = [3, 5] }

[[stages]]
width = 24
stride = 2
depth = [1, 2]
choices = { expansion = [2, 4], kernel = [3] }
"""


def write(tmp_path, text: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_space_in_one_file(tmp_path) -> None:
    space = load_space(write(tmp_path, GOOD))
    assert space.name == "mine"
    assert space.size() == 2 * (2 + 4)
    assert space.configurations() == [(0.5, 24), (0.5, 32), (1.0, 24), (1.0, 32)]
    assert space.configurations(max_resolution=28) == [(0.5, 24), (1.0, 24)]
    # Choices come in the order of the block kind, whatever their order in the file.
    assert space.describe(space.largest())["stage2"]["blocks"][0] == {"kernel": 3, "expansion": 4}
    architecture = space.decode(space.largest(), 0.5, 32, 1, 7)
    assert [block.name for block in architecture.blocks] == [
        "stem",
        "stage1.block1",
        "stage2.block1",
        "stage2.block2",
        "head",
    ]
    assert [block.output_shape for block in architecture.blocks] == [
        (1, 16, 16, 4),
        (1, 16, 16, 8),
        (1, 8, 8, 12),
        (1, 8, 8, 12),
        (1, 7),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("description", "descripton", "unknown key 'descripton'; did you mean 'description'|'description' is missing"),
        ("stride = 2\nparam", "strid = 2\nparam", "unknown key 'stem.strid'; did you mean 'stride'"),
        ("depth = [1, 2]", "depths = [1, 2]", "unknown key 'stages.2.depths'; did you mean 'depth'"),
        ("expansion = [2, 4]", "expantion = [2, 4]", "unknown parameter 'expantion'.*did you mean 'expansion'"),
        ("expansion = [2, 4], ", "", "'inverted_bottleneck' also needs expansion"),
        ("depthwise_separable", "depthwise_seperable", "did you mean 'depthwise_separable'"),
        ("depthwise_separable", "classifier", "cannot stand in"),
        ("[3, 5]", "[3, 4]", "stages.1: kernel = 4 must be odd"),
        ("[3, 5]", "[5, 3]", "ascending"),
        ("[3, 5]", "[]", "stages.1.choices.kernel"),
        ("[1, 2]", "[0, 1]", "stages.2.depth.1: .*greater than or equal to 1"),
        ("[0.5, 1.0]", "[0.0]", "width_multipliers.1: .*greater than 0"),
        ("[24, 32]", "[24.5]", "resolutions.1"),
        ("[24, 32]", "[32, 24]", "resolutions must be ascending"),
        ('name = "mine"', "", "key 'name' is missing"),
        ('name = "mine"', "name = mine", "not TOML"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SpaceError, match=message) as caught:
        load_space(path)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_unknown_spaces_and_files() -> None:
    with pytest.raises(SpaceError, match="did you mean 'mobile'"):
        load_space("mobil")
    with pytest.raises(SpaceError, match=r"cannot read search space nowhere\.toml"):
        load_space("nowhere.toml")


@pytest.mark.parametrize("name", space_names())
def test_the_spaces_of_the_package_load(name: str) -> None:
    space = load_space(name)
    assert space.name == name
    assert space.size() > 10**6


def test_the_mobile_space_has_the_grid_of_mcunet() -> None:
    space = load_space("mobile")
    assert len(space.configurations()) == 108
    # Five stages of depth 2 to 4, one single block with choices: 9 settings a block.
    assert space.size() == (9**2 + 9**3 + 9**4) ** 5 * 9


@pytest.mark.parametrize(
    ("channels", "divisor", "rounded"),
    [
        (32, 8, 32),
        (11.2, 8, 16),
        (12, 8, 16),
        (4.8, 8, 8),
        (1, 8, 8),
        (19.2, 8, 24),
        (67.2, 8, 64),
        (5, 4, 8),
        (9, 4, 12),
    ],
)
def test_channel_rounding(channels: float, divisor: int, rounded: int) -> None:
    assert round_channels(channels, divisor) == rounded
