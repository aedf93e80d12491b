"""Label many rows by asking about few: rows to show a person, and their answers spread.

`ClusterThenLabelClassifier` is a classifier that learns from clusters and whatever
answers there are, and chooses what to ask next. `representatives` and `propagate` do no
more than their names say, with any fitted estimator or pipeline that has ``predict``
and ``transform``. `write_questions` makes a page on which a person answers, and
`read_answers` reads the file that the page saves.
"""

from skdeepcluster.labelling._classifier import ClusterThenLabelClassifier
from skdeepcluster.labelling._page import read_answers, write_questions
from skdeepcluster.labelling._representatives import propagate, representatives

__all__ = [
    "ClusterThenLabelClassifier",
    "propagate",
    "read_answers",
    "representatives",
    "write_questions",
]
