"""Functions fitted to values, which say how sure they are: NumPy only."""

from tinynas.evaluation.regressors._boosted_trees import BoostedTrees
from tinynas.evaluation.regressors._mlp_ensemble import MlpEnsemble
from tinynas.evaluation.regressors._regressor import Regressor
from tinynas.evaluation.regressors._ridge import Ridge

__all__ = ["BoostedTrees", "MlpEnsemble", "Regressor", "Ridge"]
