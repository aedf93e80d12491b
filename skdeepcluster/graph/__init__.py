"""Clusters of a nearest-neighbour graph.

`GraphClustering` is the estimator, and `search` tells how clusters are found. Nothing
here needs torch.
"""

from skdeepcluster.graph._estimator import GraphClustering

__all__ = ["GraphClustering"]
