"""Genotypes as vectors, for strategies and predictors that learn from them.

`encode(space, genotypes, encoding)` by name; each encoding is also a function of its own. The length of the vectors
depends on the space alone, so that what was fitted on some networks can be asked about others.
"""

from tinynas.spaces.encodings._adjacency import adjacency
from tinynas.spaces.encodings._one_hot import one_hot
from tinynas.spaces.encodings._ordinal import ordinal
from tinynas.spaces.encodings._path import path
from tinynas.spaces.encodings._registry import Encoding, encode, encoding, encoding_names

__all__ = ["Encoding", "adjacency", "encode", "encoding", "encoding_names", "one_hot", "ordinal", "path"]
