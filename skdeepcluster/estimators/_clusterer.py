"""What the clusterers share: a fit told as a story over hooks."""

import copy
import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import ClusterMixin, _fit_context, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _check_n_features, check_is_fitted

from skdeepcluster import networks
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._base import (
    BaseDeepEstimator,
    output_dtype,
    spawn_seeds,
    warn_interrupted,
)
from skdeepcluster.training import resolve_device


class BaseDeepClusterer(ClusterMixin, BaseDeepEstimator):
    """A clusterer on the latent space of an autoencoder.

    The story of a fit is told by `fit` and `_find_clusters`. A subclass implements
    `_start_clusters`, which sets the clusters of latent rows, and `_labels`, which
    tells the cluster of latent rows (or is a `BaseSoftClusterer`); it may implement
    `_refine`, a phase of joint training.
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "autoencoder": [HasMethods(["fit", "transform"]), None],
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
        autoencoder = self._check_autoencoder()
        X = self._check_input(X, reset=True)
        self._check_fit(X, autoencoder)
        try:
            interrupted = self._find_clusters(X, autoencoder)
            self.labels_ = self._labels(self._encode(X))
        except BaseException:
            self._forget()
            raise
        if interrupted:
            warn_interrupted(self, interrupted)
        self._check_found()
        return self

    def _forget(self) -> None:
        """Drop what a fit learned: half of it would pass for a whole."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _check_autoencoder(self) -> Any:
        """Return the autoencoder to use, fitted or not; never change the user's own."""
        given = self.autoencoder
        if isinstance(given, FrozenEstimator):
            given = given.estimator
        if given is None:
            return Autoencoder(verbose=self.verbose)
        if not isinstance(given, Autoencoder):
            raise TypeError(
                f"autoencoder must be an Autoencoder or None, got {given!r}."
            )
        if not hasattr(given, "module_"):
            return clone(given)
        given._check_unchanged()
        return given

    def _check_fit(self, X: Any, autoencoder: Any) -> None:
        """Refuse what can't be fitted, before any training."""
        wanted = self._n_wanted
        if wanted is not None and X.shape[0] < wanted:
            raise ValueError(
                f"n_samples={X.shape[0]} should be >= n_clusters={wanted}."
            )
        if hasattr(autoencoder, "module_"):
            _check_n_features(autoencoder, X, reset=False)
            resolve_device(autoencoder.device)
        else:
            autoencoder._validate_params()
            autoencoder._check_training()
            autoencoder._network(X.shape[1])

    def _find_clusters(self, X: Any, autoencoder: Any) -> str | None:
        """Set network and clusters; name the phase that the user interrupted."""
        pretrain_seed, init_seed, refine_seed = spawn_seeds(self.random_state, 3)
        interrupted = self._pretrain(X, autoencoder, pretrain_seed)
        with config_context(array_api_dispatch=False):
            cut_short = self._start_clusters(self._encode(X), init_seed)
        if interrupted:
            return "pretraining"
        if cut_short:
            return "the search for initial clusters"
        return "the clustering phase" if self._refine(X, refine_seed) else None

    def _pretrain(self, X: Any, autoencoder: Any, seed: int) -> bool:
        """Set ``module_`` to a trained network; tell whether the user interrupted."""
        interrupted = False
        if hasattr(autoencoder, "module_"):
            # One that was unpickled is on the CPU, whatever its device.
            device = resolve_device(autoencoder.device)
            self.module_ = copy.deepcopy(autoencoder.module_).to(device)
        else:
            if autoencoder.random_state is None:
                autoencoder.random_state = seed
            interrupted = autoencoder._fit_module(X)
            self.module_ = autoencoder.module_
        self.history_ = copy.deepcopy(autoencoder.history_)
        return interrupted

    @property
    def _n_wanted(self) -> int | None:
        """Number of clusters to arrive at; None where the algorithm finds it."""
        return self.n_clusters

    @property
    def _precision(self) -> str:
        return "float32" if self.autoencoder is None else self.autoencoder.precision

    def _start_clusters(self, Z: np.ndarray, seed: int) -> bool | None:
        """Set the clusters from latent rows; tell whether the user interrupted.

        One that can't end early with clusters lets the interruption pass.
        """
        raise NotImplementedError

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        """Cluster of each latent row, int32."""
        raise NotImplementedError

    def _refine(self, X: Any, seed: int) -> bool:
        """Train network and clusters jointly; tell whether the user interrupted."""
        return False

    def _check_found(self) -> None:
        found = len(np.unique(self.labels_))
        wanted = self._n_wanted
        if wanted is not None and found < wanted:
            warnings.warn(
                f"{type(self).__name__} found {found} distinct clusters, fewer than "
                f"n_clusters={wanted}: the data may hold fewer, or the "
                "network may have collapsed (see history_).",
                ConvergenceWarning,
                stacklevel=4,
            )

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
        autoencoder = self._check_autoencoder()
        if not hasattr(autoencoder, "module_"):
            if autoencoder.random_state is None:
                seed = spawn_seeds(self.random_state, 1)[0]
                autoencoder.set_params(random_state=seed)
            autoencoder.fit(X)
        return clone(self).set_params(autoencoder=autoencoder)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        given = getattr(self.autoencoder, "module_", None)
        if "module_" in state and given is not None:
            own, shared = state["module_"], networks.to_state(given)
            if networks.same_state(own, shared):
                # The file holds the autoencoder anyway.
                state["module_"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "module_" in state and state["module_"] is None:
            state["module_"] = networks.to_state(state["autoencoder"].module_)
        super().__setstate__(state)

    def __sklearn_clone__(self) -> "BaseDeepClusterer":
        # A fitted autoencoder is given in order to be used as it is: a plain clone
        # would make every fit of a search train it again.
        copied = super().__sklearn_clone__()
        if hasattr(self.autoencoder, "module_"):
            copied.autoencoder = copy.copy(self.autoencoder)
        return copied


class BaseSoftClusterer(BaseDeepClusterer):
    """A clusterer that gives probabilities: it implements `_assignments`."""

    def _assignments(self, Z: np.ndarray) -> np.ndarray:
        """Probability of each cluster for each latent row."""
        raise NotImplementedError

    def _labels(self, Z: np.ndarray) -> np.ndarray:
        return self._assignments(Z).argmax(1).astype(np.int32)

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
