"""Search spaces: building blocks, genotypes, the networks they stand for, and the search-space optimizer."""

from tinynas.spaces._anynet_space import AnyNetSpace
from tinynas.spaces._block import Architecture, Block, cached_by_signature
from tinynas.spaces._cell import Cell
from tinynas.spaces._chain_space import ChainSpace, round_channels
from tinynas.spaces._description import describe
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._graphs import build_block_graph, build_graph
from tinynas.spaces._hand_made import HAND_MADE, HandMade
from tinynas.spaces._kinds import BlockKind, block_kind, list_block_kinds, register_block_kind
from tinynas.spaces._load import list_spaces, load_space, parse_space, space_names, space_versions
from tinynas.spaces._mobilenet_v2 import mobilenet_v2_architecture, scale_mobilenet_v2
from tinynas.spaces._nearest import distance, nearest_member
from tinynas.spaces._optimizer import optimize_space
from tinynas.spaces._plain_cnn import plain_cnn_architecture, scale_plain_cnn
from tinynas.spaces._ranking import ArchitectureCost, ConfigurationResult, NearestMiss, SpaceRanking
from tinynas.spaces._search_space import SearchSpace
from tinynas.spaces._variable_space import VariableSpace
from tinynas.spaces._variables import INACTIVE, Condition, Genotype, Variable, active, activity

__all__ = [
    "HAND_MADE",
    "INACTIVE",
    "AnyNetSpace",
    "Architecture",
    "ArchitectureCost",
    "Block",
    "BlockKind",
    "Cell",
    "ChainSpace",
    "Condition",
    "ConfigurationResult",
    "Genotype",
    "HandMade",
    "NearestMiss",
    "SearchSpace",
    "SpaceError",
    "SpaceRanking",
    "Variable",
    "VariableSpace",
    "active",
    "activity",
    "block_kind",
    "build_block_graph",
    "build_graph",
    "cached_by_signature",
    "describe",
    "distance",
    "list_block_kinds",
    "list_spaces",
    "load_space",
    "mobilenet_v2_architecture",
    "nearest_member",
    "optimize_space",
    "parse_space",
    "plain_cnn_architecture",
    "register_block_kind",
    "round_channels",
    "scale_mobilenet_v2",
    "scale_plain_cnn",
    "space_names",
    "space_versions",
]
