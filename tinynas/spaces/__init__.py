"""Search spaces: building blocks, genotypes, the networks they stand for, and the search-space optimizer."""

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._genes import Genotype
from tinynas.spaces._graphs import build_block_graph, build_graph
from tinynas.spaces._kinds import BlockKind, SpaceError, block_kind, block_kinds, register_block_kind
from tinynas.spaces._space import SearchSpace, load_space, round_channels
from tinynas.spaces._space_file import space_names

__all__ = [
    "Architecture",
    "Block",
    "BlockKind",
    "Genotype",
    "SearchSpace",
    "SpaceError",
    "block_kind",
    "block_kinds",
    "build_block_graph",
    "build_graph",
    "load_space",
    "register_block_kind",
    "round_channels",
    "space_names",
]
