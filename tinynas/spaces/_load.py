"""Search spaces by name: those that ship, those in files, and plugins of other packages."""

from __future__ import annotations

from pathlib import Path

from tinynas.plugins import OWN, Listed, Plugins
from tinynas.registry import closest
from tinynas.spaces._anynet_file import AnyNetTable
from tinynas.spaces._anynet_space import AnyNetSpace
from tinynas.spaces._chain_space import ChainSpace
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind_versions
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._space_file import SpaceTable, parse_space_table, read_shipped, read_space_table, shipped_names

# A protocol is no class that could be instantiated, which mypy asks of what is handed over as a type.
_PLUGINS: Plugins[SearchSpace] = Plugins("tinynas.spaces", SearchSpace)  # type: ignore[type-abstract]


def load_space(name_or_path: str | Path) -> SearchSpace:
    """The search space of that name (see `space_names`), or the one described in a `.toml` file.

    A space of a plugin is imported now.

    Raises:
        SpaceError: there is no such space, or its file is wrong; the message says where and what to do.
        PluginError: it is a plugin that cannot be used.
    """
    if isinstance(name_or_path, Path) or name_or_path.endswith(".toml"):
        return _space_of(read_space_table(Path(name_or_path)))
    if name_or_path in shipped_names():
        return _space_of(read_shipped(name_or_path))
    plugin = _PLUGINS.get(name_or_path)
    if plugin is None:
        known = closest(name_or_path, space_names())
        raise SpaceError(f"unknown search space {name_or_path!r}; {known} (a file name ends in .toml)")
    return plugin


def parse_space(text: str, where: str = "text") -> ChainSpace | AnyNetSpace:
    """The search space described by the text of a space file; `where` names it in messages.

    Raises:
        SpaceError: the text is wrong.
    """
    return _space_of(parse_space_table(text, where))


def space_names() -> list[str]:
    """Every name there is, plugins included, sorted; nothing is imported."""
    return sorted({*shipped_names(), *_PLUGINS.names()})


def space_versions(name_or_path: str, space: SearchSpace) -> dict[str, str]:
    """The versions of the distributions that a space and the block kinds of its networks come from, by their names.

    Args:
        name_or_path: as for `load_space`.
        space: what that returned; kinds are those of its smallest and its largest network, and of what is near that.
    """
    shipped = name_or_path.endswith(".toml") or name_or_path in shipped_names()
    versions = {} if shipped else _PLUGINS.versions(name_or_path)
    width, resolution = space.width_multipliers[0], space.resolutions[0]
    for genotype in (space.smallest(), space.largest(), *space.neighbours(space.largest())):
        for block in space.decode(genotype, width, resolution, 1, 2).blocks:
            versions |= block_kind_versions(block.kind)
    return versions


def list_spaces() -> list[Listed]:
    """Every search space by name, description and source; plugins are imported now, and broken ones say why."""
    shipped = [Listed.of(read_shipped(name), OWN) for name in shipped_names()]
    return [*shipped, *_PLUGINS.listed({space.name: space.source for space in shipped})]


def _space_of(table: SpaceTable) -> ChainSpace | AnyNetSpace:
    return AnyNetSpace(table) if isinstance(table, AnyNetTable) else ChainSpace(table)
