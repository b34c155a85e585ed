"""Search spaces: building blocks, genotypes, the networks they stand for, and the search-space optimizer."""

from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._genes import Genotype
from tinynas.spaces._graphs import build_block_graph, build_graph
from tinynas.spaces._kinds import BlockKind, SpaceError, block_kind, block_kinds, register_block_kind
from tinynas.spaces._mobilenet_v2 import mobilenet_v2_architecture, scale_mobilenet_v2
from tinynas.spaces._optimizer import cached_by_signature, optimize_space
from tinynas.spaces._ranking import ArchitectureCost, ConfigurationResult, NearestMiss, SpaceRanking
from tinynas.spaces._space import SearchSpace, load_space, parse_space, round_channels
from tinynas.spaces._space_file import space_names

__all__ = [
    "Architecture",
    "ArchitectureCost",
    "Block",
    "BlockKind",
    "ConfigurationResult",
    "Genotype",
    "NearestMiss",
    "SearchSpace",
    "SpaceError",
    "SpaceRanking",
    "block_kind",
    "block_kinds",
    "build_block_graph",
    "build_graph",
    "cached_by_signature",
    "load_space",
    "mobilenet_v2_architecture",
    "optimize_space",
    "parse_space",
    "register_block_kind",
    "round_channels",
    "scale_mobilenet_v2",
    "space_names",
]
