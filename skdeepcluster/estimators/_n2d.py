"""N2D of McConville et al. (2020): a mixture on the manifold of latent rows.

The latent rows of an autoencoder are embedded by UMAP, which pulls neighbours together,
and the clusters are the components of a Gaussian mixture there. See
https://arxiv.org/abs/1908.05968.
"""

import threading
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._seeds import FitSeeds, spawn_seeds
from skdeepcluster._sklearn import Interval
from skdeepcluster.batches import array_over_rows
from skdeepcluster.estimators._base import (
    BaseDecodingEstimator,
    Learned,
    encode,
    output_dtype,
)
from skdeepcluster.estimators._clusterer import BaseDeepClusterer, BaseSoftClusterer
from skdeepcluster.estimators._embedded import (
    nearest,
    neighbors,
    one_thread,
    principal_start,
    unit_scale,
)
from skdeepcluster.estimators._training import Training
from skdeepcluster.streams import takes_any_rows

# Some of numba's threading layers end the process where two threads enter them.
_umap_lock = threading.Lock()


def import_umap() -> Any:
    """Return UMAP's module, or say how to install it."""
    return import_extra("umap.umap_", "manifold", "N2DClustering")


def umap_embedding(
    Z: np.ndarray, n_neighbors: int, min_dist: float, n_dims: int, seed: int
) -> np.ndarray:
    """Embed distinct rows by UMAP with its defaults, but exact neighbours.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, latent_dim)
    n_neighbors : int
        Neighbours of a row, itself one of them.
    min_dist : float
    n_dims : int
    seed : int

    Returns
    -------
    ndarray of shape (n_samples, n_dims), float32
    """
    umap = import_umap()
    Z = unit_scale(Z)
    start = principal_start(Z, n_dims, seed).astype(np.float32)
    if len(Z) < 3:
        return start
    distances, index = neighbors(Z, Z, n_neighbors)
    rng = np.random.RandomState(seed)
    with _umap_lock, one_thread():
        graph, _, _ = umap.fuzzy_simplicial_set(
            Z,
            index.shape[1],
            rng,
            "euclidean",
            knn_indices=index,
            knn_dists=distances.astype(np.float32),
        )
        a, b = umap.find_ab_params(1.0, min_dist)
        embedding, _ = umap.simplicial_set_embedding(
            Z,
            graph,
            n_dims,
            initial_alpha=1.0,
            a=a,
            b=b,
            gamma=1.0,
            negative_sample_rate=5,
            n_epochs=None,
            init=start,
            random_state=rng,
            metric="euclidean",
            metric_kwds={},
            densmap=False,
            densmap_kwds={},
            output_dens=False,
        )
    return embedding


def place(Z: np.ndarray, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Place of the nearest embedded row, for each latent row, float64.

    A mean of several neighbours' places may lie between clusters that are narrow.
    """
    return places[nearest(Z, rows)].astype(np.float64)


@documented
class N2DClustering(BaseSoftClusterer, BaseDecodingEstimator):
    """Not too deep clustering (N2D): UMAP and a mixture on an autoencoder.

    An autoencoder is trained, or given; UMAP embeds its latent rows, which brings
    neighbours together and parts clusters; and a Gaussian mixture with full covariances
    finds the clusters in the embedding [1]_. There is no joint training. It needs
    ``skdeepcluster[manifold]``.

    UMAP embeds the distinct latent rows of the training data. Any other row has the
    place of the nearest of them, so that its cluster doesn't depend on the rows beside
    it. For that a fitted model keeps the latent rows and their places: 80 bytes for
    each training row with 10 latent dimensions and 10 clusters.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of mixture components.
    {encoder}
    n_neighbors : int, default=20
        Neighbours of a row in UMAP's graph, itself one of them.
    min_dist : float, default=0.0
        Least distance of embedded rows that UMAP aims at.
    manifold_dim : int or None, default=None
        Dimensions of the embedding. None takes ``n_clusters``.
    n_init : int, default=1
        Restarts of the mixture; the most likely is kept.
    reg_covar : float, default=1e-6
        Added to the diagonal of the covariances.
    {common}

    Attributes
    ----------
    {labels_}
    {n_clusters_}
    embedded_rows_ : ndarray of shape (n_distinct, latent_dim)
        The distinct latent rows of the training data.
    embedding_ : ndarray of shape (n_distinct, manifold_dim)
        Their places in the embedding.
    mixture_ : sklearn.mixture.GaussianMixture
        The mixture in the embedding.
    {module_}
    {pretraining_history_}
    n_iter_ : int
        Iterations of the mixture.
    {features}

    See Also
    --------
    AutoencoderGMM : The mixture on the latent rows themselves.
    DensityDDCClustering : Finds the number of clusters, in a t-SNE of latent rows.

    References
    ----------
    .. [1] McConville, R., Santos-Rodriguez, R., Piechocki, R. J. and Craddock, I.
       (2020). N2D: (Not too) deep clustering via clustering the local manifold of an
       autoencoded embedding. ICPR. https://arxiv.org/abs/1908.05968

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder, N2DClustering
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5)
    >>> n2d = N2DClustering(10, encoder=encoder, random_state=0).fit(X[:300])
    >>> n2d.embed(X).shape
    (1797, 10)
    """

    _parameter_constraints: dict = {
        **BaseDeepClusterer._parameter_constraints,
        "n_neighbors": [Interval(Integral, 2, None, closed="left")],
        "min_dist": [Interval(Real, 0, 1, closed="both")],
        "manifold_dim": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": GaussianMixture._parameter_constraints["n_init"],
        "reg_covar": GaussianMixture._parameter_constraints["reg_covar"],
    }

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        encoder: Any = None,
        n_neighbors: int = 20,
        min_dist: float = 0.0,
        manifold_dim: int | None = None,
        n_init: int = 1,
        reg_covar: float = 1e-6,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.encoder = encoder
        self.n_neighbors = n_neighbors
        self.min_dist = min_dist
        self.manifold_dim = manifold_dim
        self.n_init = n_init
        self.reg_covar = reg_covar
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    def _check_fit(self, X: Any, encoder: Any) -> None:
        super()._check_fit(X, encoder)
        import_umap()

    def _cluster(
        self, X: Any, learned: Learned, clusters: Any, seeds: FitSeeds
    ) -> Learned:
        manifold_seed, mixture_seed = spawn_seeds(seeds.start, 2)
        Z = encode(learned.module, X)
        rows = np.unique(Z, axis=0)
        places = umap_embedding(
            rows,
            self.n_neighbors,
            self.min_dist,
            self.manifold_dim or self.n_clusters,
            manifold_seed,
        )
        mixture = GaussianMixture(
            self.n_clusters,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            max_iter=500,
            random_state=mixture_seed,
        )
        mixture.fit(place(Z, rows, places))
        return learned.adding(
            embedded_rows_=rows,
            embedding_=places,
            mixture_=mixture,
            n_iter_=mixture.n_iter_,
        )

    @property
    def n_clusters_(self) -> int:
        """Number of clusters: of components, or what edits have made of them."""
        return self._count(len(self.mixture_.means_))

    def _place(self, Z: np.ndarray) -> np.ndarray:
        return place(Z, self.embedded_rows_, self.embedding_)

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        return array_over_rows(self.mixture_.predict_proba, self._place(Z))

    @takes_any_rows
    def embed(self, X: Any) -> np.ndarray:
        """Places of rows in the embedding where the clusters are.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples, manifold_dim)
            On the training data, UMAP's own embedding.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        return self._place(self._encode(X)).astype(output_dtype(X), copy=False)
