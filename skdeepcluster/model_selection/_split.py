"""Searches without cross-validation."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator

from skdeepcluster._sklearn import _num_samples


class AllData(BaseCrossValidator):
    """One split that trains and scores on all the data.

    For a search that asks which clusters *these* rows have. Clusters are often wanted
    of the data at hand and not of new rows, and clusterers without ``predict`` can't
    be scored otherwise. Scores are those of training data: they favour candidates that
    fit noise, such as many small clusters under a likelihood. Where the clusterer
    shall label new rows, or two candidates differ in how well they can memorise, give
    the search an honest ``cv=5`` instead.

    Examples
    --------
    >>> from skdeepcluster.model_selection import AllData
    >>> [(train.tolist(), test.tolist()) for train, test in AllData().split([[1], [2]])]
    [([0, 1], [0, 1])]
    """

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        int
            One.
        """
        return 1

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the one split.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Rows to count.
        y, groups : object, default=None
            Ignored.

        Yields
        ------
        train, test : ndarray of shape (n_samples,)
            All the indices, both.
        """
        rows = np.arange(_num_samples(X))
        yield rows, rows.copy()
