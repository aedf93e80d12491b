"""What the clusterers share: a fit told as a story over hooks."""

import copy
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import ClusterMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeepcluster._fitted import plain_settings
from skdeepcluster._resume import Journal
from skdeepcluster._seeds import spawn_seeds
from skdeepcluster._sklearn import HasMethods, Interval, _fit_context
from skdeepcluster._warnings import warn
from skdeepcluster.augment import Augmentation
from skdeepcluster.batches import own_settings
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._base import (
    CHECKPOINT_CONSTRAINT,
    BaseDecodingEstimator,
    BaseDeepEstimator,
    Learned,
    encode,
    output_dtype,
    warn_interrupted,
)
from skdeepcluster.estimators._given import (
    HoldsFitted,
    check_unchanged,
    is_fitted,
    unwrapped,
)
from skdeepcluster.estimators._initial import Clusters, InitialClusters
from skdeepcluster.model_selection import modularity_scorer
from skdeepcluster.streams import (
    MAX_SAMPLES_CONSTRAINT,
    apply_in_blocks,
    check_enough,
    takes_any_rows,
)
from skdeepcluster.training import resolve_device


class BaseDeepClusterer(ClusterMixin, HoldsFitted, BaseDeepEstimator):
    """A clusterer on the latent space of an autoencoder.

    The story of a fit is told by `_learn`. A subclass implements `_cluster`, which adds
    the clusters to what was learned (or is a `BaseJointClusterer`, which trains them
    together with the network), and `_labels`, which tells the cluster of latent rows
    (or is a `BaseSoftClusterer`).
    """

    _holds = "autoencoder"
    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "autoencoder": [HasMethods(["fit", "transform"]), None],
        "max_samples": MAX_SAMPLES_CONSTRAINT,
        "checkpoint": CHECKPOINT_CONSTRAINT,
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> "BaseDeepClusterer":
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.
        y : object, default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are unusable, before any training; if training
            diverges.
        """
        interrupted = self._fit(X)
        if interrupted:
            warn_interrupted(self, interrupted)
        self._check_found()
        return self

    def _learn(self, X: Any) -> Learned:
        autoencoder = self._given_autoencoder()
        rows, some = self._rows_to_learn(X)
        if is_fitted(autoencoder):
            # As its own predictions would: the names of columns are checked as well.
            validate_data(autoencoder, X, reset=False, skip_check_array=True)
        self._check_fit(rows, autoencoder)
        given = getattr(autoencoder, "module_", None)
        journal, seeds = self._open_journal(rows, 3, given)
        learned = self._pretrain(rows, autoencoder, seeds[0], journal)
        clusters = self._find_initial(rows, learned, seeds)
        if clusters is not None and clusters.interrupted:
            learned = learned.cut_short("the search for initial clusters")
        learned = self._cluster(rows, learned, clusters, seeds)
        self._take(learned)
        labels = self._settled_labels(rows)
        if some:
            labels = apply_in_blocks(self, X)
        return learned.adding(labels_=labels)

    def _given_autoencoder(self) -> Any:
        """Return the autoencoder to use, fitted or not; never change the user's own."""
        given = unwrapped(self.autoencoder)
        if given is None:
            return Autoencoder(verbose=self.verbose)
        if not isinstance(given, Autoencoder):
            raise TypeError(
                f"autoencoder must be an Autoencoder or None, got {given!r}."
            )
        if not is_fitted(given):
            return clone(given)
        check_unchanged(given, "autoencoder")
        return given

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        """Refuse what can't be fitted, before any training."""
        check_enough(X, self.max_samples, self._n_wanted)
        if is_fitted(autoencoder):
            resolve_device(autoencoder.device)
        else:
            autoencoder._validate_params()
            autoencoder._check_fit(X)
        initial = self._initial()
        if initial is not None:
            initial.check(type(self).__name__, autoencoder.latent_dim)

    def _pretrain(
        self, X: Any, autoencoder: Any, seed: int, journal: Journal
    ) -> Learned:
        """Train the network, or take a copy of one that is."""
        if is_fitted(autoencoder):
            # One that was unpickled is on the CPU, whatever its device.
            device = resolve_device(autoencoder.device)
            module = copy.deepcopy(autoencoder.module_).to(device)
            return Learned(module, copy.deepcopy(autoencoder.history_), journal)
        if autoencoder.random_state is None:
            autoencoder.random_state = seed
        own, network_seeds = autoencoder._open_journal(X, 3)
        kept = own if self.checkpoint is None else journal
        learned = autoencoder._train_network(X, kept, network_seeds)
        interrupted = "pretraining" if learned.interrupted else None
        return Learned(learned.module, learned.history, journal, interrupted)

    def _initial(self) -> InitialClusters | None:
        """Strategy that finds the initial clusters; None where there are none."""
        return None

    def _find_initial(
        self, X: Any, learned: Learned, seeds: list[int]
    ) -> Clusters | None:
        """Find initial clusters in rows and latent rows."""
        initial = self._initial()
        if initial is None:
            return None
        seed = spawn_seeds(seeds[0], 2)[0] if initial.of_graph else seeds[1]
        Z = encode(learned.module, X)
        hurried = learned.interrupted is not None
        return initial.kept_or_found(learned.journal, [X, Z], Z, seed, hurried)

    def _cluster(
        self, X: Any, learned: Learned, clusters: Clusters | None, seeds: list[int]
    ) -> Learned:
        """Add the clusters to what was learned."""
        raise NotImplementedError

    def _settled_labels(self, X: Any) -> np.ndarray:
        """Labels of the training rows; no cluster is empty that nobody asked for."""
        Z = self._encode(X)
        labels = self._labels(Z)
        kept = np.unique(labels)
        if self._n_wanted is None and len(kept) <= labels.max():
            self._keep_clusters(kept)
            labels = self._labels(Z)
        return labels

    def _keep_clusters(self, kept: np.ndarray) -> None:
        """Drop all clusters but those of the given indices."""
        raise NotImplementedError

    @property
    def _n_wanted(self) -> int | None:
        """Number of clusters to arrive at; None where the algorithm finds it."""
        return self.n_clusters

    @property
    def _precision(self) -> str:
        given = unwrapped(self.autoencoder)
        return "auto" if given is None else given.precision

    def _augmentation(self, n_features: int, seed: int) -> Augmentation | None:
        given = unwrapped(self.autoencoder)
        return None if given is None else given._augmentation(n_features, seed)

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        """Cluster of each latent row, int32."""
        raise NotImplementedError

    def _check_found(self) -> None:
        found = len(np.unique(self.labels_))
        wanted = self._n_wanted
        if wanted is not None and found < wanted:
            warn(
                f"{type(self).__name__} found {found} distinct clusters, fewer than "
                f"n_clusters={wanted}: the data may hold fewer, or the "
                "network may have collapsed (see history_).",
                ConvergenceWarning,
            )

    @takes_any_rows
    def predict(self, X: Any) -> np.ndarray:
        """Cluster of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each row; on the training data, ``labels_``.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        return self._labels(self._encode(X))

    def score(self, X: Any, y: Any = None) -> float:
        """How well the clusters follow the data; higher is better.

        It is the modularity of the predicted clusters in a graph of neighbours of
        ``X``, as :func:`skdeepcluster.model_selection.modularity_scorer` computes it.
        Every model is scored in the space of ``X``, so that scores compare. The loss of
        a training doesn't: it is measured in a latent space of the model's own, and is
        lowest where there is one cluster or nothing to learn.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.
        y : object, default=None
            Ignored.

        Returns
        -------
        float
            From -0.5, also for a single cluster, to 1.
        """
        with plain_settings():
            return modularity_scorer()(self, X)

    def pretrain(self, X: Any, y: Any = None) -> "BaseDeepClusterer":
        """Return an unfitted copy that holds a trained autoencoder.

        All the fits of the copy, and of its clones, share the training that is paid
        for here: a search over the other parameters is cheap.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to train on.
        y : object, default=None
            Ignored.

        Returns
        -------
        BaseDeepClusterer
            A copy of this estimator with ``autoencoder`` set; one that was fitted
            before is kept as it is.
        """
        autoencoder = self._given_autoencoder()
        if not is_fitted(autoencoder):
            if autoencoder.random_state is None:
                seed = spawn_seeds(self.random_state, 1)[0]
                autoencoder.set_params(random_state=seed)
            autoencoder.set_params(max_samples=self.max_samples).fit(X)
        return clone(self).set_params(autoencoder=autoencoder)


class BaseSoftClusterer(BaseDeepClusterer):
    """A clusterer that gives probabilities: it implements `_assignments`."""

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        """Probability of each cluster for each latent row."""
        raise NotImplementedError

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return self._assignments(Z).argmax(1).astype(np.int32)

    @takes_any_rows
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each cluster for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            Soft assignment; rows sum to one.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        return self._assignments(self._encode(X)).astype(output_dtype(X), copy=False)


class BaseGenerativeClusterer(BaseSoftClusterer, BaseDecodingEstimator):
    """A clusterer with a density: it implements `_log_densities` and `_draw`."""

    def _log_densities(self, X: Any) -> np.ndarray:
        """Logarithm of each row's density."""
        raise NotImplementedError

    def _draw(self, n_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Latent rows, and the component of each."""
        raise NotImplementedError

    @takes_any_rows
    def score_samples(self, X: Any) -> np.ndarray:
        """Log-likelihood of each row, or a lower bound of it; higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Logarithm of the density: of the latent row, for a mixture; of the row
            itself, for a model of rows.
        """
        check_is_fitted(self)
        return self._log_densities(self._check_input(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of `score_samples`; comparable on the same autoencoder only.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows in the units of the training data.
        y : object, default=None
            Ignored.

        Returns
        -------
        float
            The mean.
        """
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw new rows: latent rows from the mixture, decoded.

        With an integer ``random_state``, every call draws the same rows. With None, or
        an instance, which moves on, every call draws other rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.

        Returns
        -------
        X : ndarray of shape (n_samples, `n_features_in_`)
            Rows in the units of the training data.
        y : ndarray of shape (n_samples,)
            Component of each row.
        """
        check_is_fitted(self)
        seed = spawn_seeds(self.random_state, 1)[0]
        with own_settings():
            Z, components = self._draw(n_samples, seed)
        return self.inverse_transform(Z), components
