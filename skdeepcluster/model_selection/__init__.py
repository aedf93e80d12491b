"""Choose and compare clusterers without labels."""

from skdeepcluster.model_selection._compare import (
    ClustererComparison,
    compare_clusterers,
)
from skdeepcluster.model_selection._n_clusters import (
    NClustersSelection,
    select_n_clusters,
)
from skdeepcluster.model_selection._scorers import (
    calinski_harabasz_scorer,
    davies_bouldin_scorer,
    modularity_scorer,
    silhouette_scorer,
)
from skdeepcluster.model_selection._split import AllData

__all__ = [
    "AllData",
    "ClustererComparison",
    "NClustersSelection",
    "calinski_harabasz_scorer",
    "compare_clusterers",
    "davies_bouldin_scorer",
    "modularity_scorer",
    "select_n_clusters",
    "silhouette_scorer",
]
