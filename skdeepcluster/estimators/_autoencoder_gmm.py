"""A Gaussian mixture in the latent space of an autoencoder."""

import copy
from typing import Any

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._seeds import FitSeeds
from skdeepcluster.batches import array_over_rows, own_settings
from skdeepcluster.estimators._base import Learned, encode
from skdeepcluster.estimators._clusterer import BaseGenerativeClusterer
from skdeepcluster.estimators._gradients import HasLogOdds
from skdeepcluster.estimators._initial import (
    INITIAL_CONSTRAINTS,
    InitialClusters,
    fit_about,
)
from skdeepcluster.estimators._training import Training

# Of a mixture that doesn't start from a graph.
MOST_ITERATIONS = 500


@documented
class AutoencoderGMM(HasLogOdds, BaseGenerativeClusterer):
    """Gaussian mixture in the latent space of an autoencoder.

    An autoencoder is trained, or given, and a :class:`sklearn.mixture.GaussianMixture`
    of the latent rows [1]_ has a component for each cluster of a graph of neighbours,
    or is fitted from another start if ``init`` says so. The model is a density of
    latent rows: it scores how normal a row is, and it draws new rows.

    Parameters
    ----------
    {n_clusters}
    {encoder}
    init : {"graph", "k-means"}, array-like, callable or clusterer, default="graph"
        Initial clusters, as in :class:`DECClustering`, but that the network is not
        taught them: the autoencoder stays as it is, and mixtures on it comparable.
        "k-means" is scikit-learn's start of mixtures.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Form of the components' covariances.
    reg_covar : float, default=1e-6
        Added to the diagonal of the covariances.
    n_init : int, default=1
        Restarts of the mixture with ``init="k-means"``; the most likely is kept.
    tol : float, default=1e-3
        The mixture has converged when its mean log-likelihood gains less.
    max_iter : int or None, default=None
        Iterations of the mixture, at most. None makes none from the clusters of a
        graph, which are better than what they would lead to, and 500 from other starts.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    mixture_ : sklearn.mixture.GaussianMixture
        The mixture in the latent space.
    cluster_centers_ : ndarray of shape (n_clusters, latent_dim)
        Means of the components in the latent space, and not among the rows:
        ``inverse_transform(cluster_centers_)`` has them in the units of ``X``.
    {module_}
    {pretraining_history_}
    n_iter_ : int
        Iterations of the mixture.
    {features}

    See Also
    --------
    DECClustering : Trains latent space and clusters together.

    Notes
    -----
    Iterations raise the likelihood, and a criterion such as `bic` is meant for its
    maximum. But clusters of a graph get worse by each of them: a class of most rows
    takes two components, long and bent ones are cut.

    References
    ----------
    .. [1] McLachlan, G. and Peel, D. (2000). Finite mixture models. Wiley.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, AutoencoderGMM
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> gmm = AutoencoderGMM(10, encoder=encoder, random_state=0).fit(X)
    >>> rows, components = gmm.sample(3)
    >>> rows.shape
    (3, 64)
    """

    # The mixture's own parameters are checked by the mixture, under the same names.
    _parameter_constraints: dict = {
        **BaseGenerativeClusterer._parameter_constraints,
        **INITIAL_CONSTRAINTS,
        **{
            name: GaussianMixture._parameter_constraints[name]
            for name in ("covariance_type", "reg_covar", "n_init", "tol")
        },
        "max_iter": [*GaussianMixture._parameter_constraints["max_iter"], None],
    }

    def __init__(
        self,
        n_clusters: int | None = 8,
        *,
        encoder: Any = None,
        init: Any = "graph",
        covariance_type: str = "full",
        reg_covar: float = 1e-6,
        n_init: int = 1,
        tol: float = 1e-3,
        max_iter: int | None = None,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.init = init
        self.covariance_type = covariance_type
        self.reg_covar = reg_covar
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @property
    def n_clusters_(self) -> int:
        """Number of clusters: of components, or what edits have made of them."""
        return self._count(len(self.mixture_.means_))

    @property
    def n_iter_(self) -> int:
        """Iterations of the mixture."""
        return self.mixture_.n_iter_

    @property
    def cluster_centers_(self) -> np.ndarray:
        """Means of the components in the latent space."""
        return self.mixture_.means_

    def _initial(self) -> InitialClusters:
        return InitialClusters(self.init, self.n_clusters)

    def _find_initial(
        self, X: Any, learned: Learned, seeds: FitSeeds, initial: Any
    ) -> Any:
        if isinstance(self.init, str) and self.init == "k-means":
            # The mixture's own start, and restarts.
            return None
        return super()._find_initial(X, learned, seeds, initial)

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        settings = {
            name: getattr(self, name)
            for name in ("covariance_type", "reg_covar", "tol")
        }
        iterations = self.max_iter
        if iterations is None:
            iterations = 0 if self._initial().of_graph else MOST_ITERATIONS
        Z = encode(learned.module, X)
        n_clusters = self.n_clusters if clusters is None else len(clusters.centers)
        mixture = GaussianMixture(
            n_clusters, max_iter=iterations, random_state=seeds.start, **settings
        )
        if clusters is None:
            mixture.set_params(n_init=self.n_init).fit(Z.astype(np.float64))
        else:
            fit_about(mixture, Z, clusters)
        return learned.adding(mixture_=mixture)

    def _keep_clusters(self, kept: np.ndarray) -> None:
        mixture = self.mixture_.set_params(n_components=len(kept))
        own = ["weights_", "means_"]
        if self.covariance_type != "tied":
            own += ["covariances_", "precisions_", "precisions_cholesky_"]
        for name in own:
            setattr(mixture, name, getattr(mixture, name)[kept])
        mixture.weights_ /= mixture.weights_.sum()

    def _scores(self, x: torch.Tensor) -> torch.Tensor:
        mixture = self.mixture_
        weights, means, precisions = (
            torch.tensor(it, dtype=torch.float64, device=x.device)
            for it in (mixture.weights_, mixture.means_, mixture.precisions_)
        )
        if mixture.covariance_type in ("diag", "spherical"):
            columns = precisions.reshape(len(means), -1).expand_as(means)
            precisions = torch.diag_embed(columns)
        z = self.module_.encode(self.module_.standardize(x)).double()
        away = z.unsqueeze(1) - means
        squares = ((away.unsqueeze(2) @ precisions).squeeze(2) * away).sum(2)
        return weights.log() + (precisions.logdet() - squares) / 2

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        return array_over_rows(self.mixture_.predict_proba, Z.astype(np.float64))

    def _log_densities(self, X: Any) -> np.ndarray:
        Z = self._encode(X).astype(np.float64)
        return array_over_rows(self.mixture_.score_samples, Z)

    def _draw(self, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return copy.copy(self.mixture_).set_params(random_state=seed).sample(n_samples)

    def bic(self, X: Any) -> float:
        """Bayesian information criterion of the mixture on ``X``; lower is better.

        Comparable between mixtures on the same autoencoder only.

        Parameters
        ----------
        {X}

        Returns
        -------
        float
            The criterion.
        """
        return self._criterion(self.mixture_.bic, X)

    def aic(self, X: Any) -> float:
        """Akaike information criterion of the mixture on ``X``; lower is better.

        Comparable between mixtures on the same autoencoder only.

        Parameters
        ----------
        {X}

        Returns
        -------
        float
            The criterion.
        """
        return self._criterion(self.mixture_.aic, X)

    def _criterion(self, criterion: Any, X: Any) -> float:
        check_is_fitted(self)
        Z = self._encode(self._check_input(X)).astype(np.float64)
        with own_settings():
            return float(criterion(Z))
