"""Label many rows by asking about few: rows to show a person, and their answers spread.

`ClusterThenLabelClassifier` is a classifier that learns from clusters and whatever
answers there are, and chooses what to ask next. `representatives` and `propagate` do no
more than their names say, with any fitted estimator or pipeline that has ``predict``
and ``transform``.
"""

from skdeepcluster.labelling._classifier import ClusterThenLabelClassifier
from skdeepcluster.labelling._representatives import propagate, representatives

__all__ = ["ClusterThenLabelClassifier", "propagate", "representatives"]
