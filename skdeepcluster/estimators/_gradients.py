"""What decides between two clusters along a network: integrated gradients.

The log odds of a row's cluster against another, less those at the start of a straight
path to the row, are the sum over the columns of the way in each, times the mean of the
gradient there (Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365).
"""

import numpy as np
import torch
from torch import Tensor

from skdeepcluster.batches import own_settings
from skdeepcluster.networks import AutoencoderModule

# Places on the path where the gradient is taken.
STEPS = 64


class HasLogOdds:
    """A clusterer with a network that decides by scores of the clusters."""

    module_: AutoencoderModule

    def _scores(self, x: Tensor) -> Tensor:
        """Score of each cluster for rows, such that differences are log odds."""
        raise NotImplementedError

    def _mean_gradients(
        self, X: np.ndarray, starts: np.ndarray, pairs: np.ndarray
    ) -> np.ndarray:
        """Mean gradient of the log odds of two clusters between starts and rows.

        Parameters
        ----------
        X, starts : ndarray of shape (n_samples, n_features)
        pairs : ndarray of shape (n_samples, 2)
            The cluster of each row, and the other one.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        device = self.module_.shift.device
        first, last = (
            torch.as_tensor(it, dtype=torch.float64, device=device)
            for it in (starts, X)
        )
        one, other = torch.as_tensor(pairs, device=device).long().T[..., None]
        total = torch.zeros_like(last)
        with own_settings():
            for share in (np.arange(STEPS) + 0.5) / STEPS:
                x = torch.lerp(first, last, float(share)).requires_grad_()
                scores = self._scores(x)
                odds = scores.gather(1, one) - scores.gather(1, other)
                total += torch.autograd.grad(odds.sum(), x)[0] / STEPS
        return total.cpu().numpy()
