"""Choose and compare clusterers without labels."""

from skdeepcluster.model_selection._compare import (
    ClustererComparison,
    compare_clusterers,
)
from skdeepcluster.model_selection._scorers import (
    calinski_harabasz_scorer,
    davies_bouldin_scorer,
    silhouette_scorer,
)
from skdeepcluster.model_selection._split import AllData

__all__ = [
    "AllData",
    "ClustererComparison",
    "calinski_harabasz_scorer",
    "compare_clusterers",
    "davies_bouldin_scorer",
    "silhouette_scorer",
]
