"""Tables of trained networks as search problems, and what a search on one is worth; one adapter a table.

A public table is read from where it lies; none is part of this project.
"""

from tabular._hypervolume import hypervolume
from tabular._load import TABLE_NAMES, load_table
from tabular._macro import nas_bench_macro
from tabular._nas_bench_201 import DATASETS_201, nas_bench_201
from tabular._own import own_table, table_of_rows
from tabular._random_search import expected_random_best, median_random_evaluations
from tabular._search import Search, search
from tabular._table import NasTable, TableOnlySpace, quantile_of_macs

__all__ = [
    "DATASETS_201",
    "TABLE_NAMES",
    "NasTable",
    "Search",
    "TableOnlySpace",
    "expected_random_best",
    "hypervolume",
    "load_table",
    "median_random_evaluations",
    "nas_bench_201",
    "nas_bench_macro",
    "own_table",
    "quantile_of_macs",
    "search",
    "table_of_rows",
]
