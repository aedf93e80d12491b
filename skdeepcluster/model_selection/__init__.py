"""Choose and compare clusterers without labels."""

from skdeepcluster.model_selection._compare import (
    ClustererComparison,
    compare_clusterers,
)
from skdeepcluster.model_selection._n_clusters import (
    NClustersSelection,
    select_n_clusters,
)
from skdeepcluster.model_selection._split import AllData
from skdeepcluster.scores import clustering_scorer

__all__ = [
    "AllData",
    "ClustererComparison",
    "NClustersSelection",
    "clustering_scorer",
    "compare_clusterers",
    "select_n_clusters",
]
