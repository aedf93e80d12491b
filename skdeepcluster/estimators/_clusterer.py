"""What the clusterers share: a fit told as a story over hooks."""

import copy
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClusterMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeepcluster._devices import resolve_device
from skdeepcluster._docs import documented
from skdeepcluster._modules import input_moments
from skdeepcluster._resume import Journal
from skdeepcluster._rows import plain_settings
from skdeepcluster._seeds import FitSeeds, NetworkSeeds, spawn_seeds
from skdeepcluster._sklearn import HasMethods, Interval, StrOptions, _fit_context
from skdeepcluster._tasks import telling
from skdeepcluster._warnings import warn
from skdeepcluster.augment import Augmentation
from skdeepcluster.batches import INFERENCE_ROWS, BatchDataset, own_settings
from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._base import (
    COMMON_CONSTRAINTS,
    BaseDecodingEstimator,
    BaseDeepEstimator,
    Learned,
    encode,
    end_interrupted,
    learning,
    output_dtype,
)
from skdeepcluster.estimators._edits import EditableLabels
from skdeepcluster.estimators._given import (
    HoldsFitted,
    check_unchanged,
    is_fitted,
    unwrapped,
)
from skdeepcluster.estimators._initial import Clusters, InitialClusters, keeping
from skdeepcluster.estimators._training import Training
from skdeepcluster.graph.constraints import Links
from skdeepcluster.networks import Passthrough
from skdeepcluster.scores import clustering_scorer
from skdeepcluster.streams import apply_in_blocks, check_enough, takes_any_rows


@documented
class BaseDeepClusterer(EditableLabels, ClusterMixin, HoldsFitted, BaseDeepEstimator):
    """A clusterer on latent rows: of an encoder, or the rows themselves without one.

    The story of a fit is told by `_learn`. A subclass implements `_cluster`, which adds
    the clusters to what was learned (or is a `BaseJointClusterer`, which trains them
    together with the network), and `_labels`, which tells the cluster of latent rows
    (or is a `BaseSoftClusterer`). One without a parameter ``encoder`` is for rows that
    are embeddings already.
    """

    # Of one that has no such parameter.
    encoder: Any = "passthrough"

    _holds = "encoder"
    _parts: ClassVar[dict[str, Callable[[], Any]]] = {
        **BaseDeepEstimator._parts,
        "encoder": Autoencoder,
    }
    _parameter_constraints: dict = {
        **COMMON_CONSTRAINTS,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "encoder": [
            HasMethods(["fit", "transform"]),
            StrOptions({"passthrough"}),
            None,
        ],
    }

    @property
    def _trainer(self) -> Training:
        inner = getattr(unwrapped(self.encoder), "training", None) or Training()
        return self.training or inner._shared()

    @_fit_context(prefer_skip_nested_validation=False)
    @telling
    def fit(self, X: Any, y: Any = None) -> "BaseDeepClusterer":
        """Find the clusters of ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to cluster.
        {y}

        Returns
        -------
        {self}

        Raises
        ------
        {refused}
        """
        return self._fit(X)

    def _fit(self, X: Any, must_link: Any = None, cannot_link: Any = None) -> Self:
        """Learn from rows, of which some must and some cannot be linked."""
        with learning(self) as model:
            interrupted = model._learn(X, must_link, cannot_link)
        end_interrupted(self, interrupted)
        self._check_found()
        return self

    def _learn(self, X: Any, must_link: Any, cannot_link: Any) -> str | None:
        """Learn from rows as they are given; name the phase that was interrupted."""
        encoder = self._given_encoder()
        rows, some = self._rows_to_learn(X)
        most = self._trainer.max_samples
        links = Links.given(must_link, cannot_link, X, rows, most)
        if is_fitted(encoder):
            # As its own predictions would: the names of columns are checked as well.
            validate_data(encoder, X, reset=False, skip_check_array=True)
        self._check_fit(rows, encoder)
        initial = self._initial()
        if links is not None:
            initial = keeping(initial, links, rows)
        network = getattr(encoder, "module_", None)
        journal, drawn = self._open_journal(
            rows, [*FitSeeds.of(self.random_state)], network, links
        )
        seeds = FitSeeds(*drawn)
        learned = self._pretrain(rows, encoder, seeds.pretraining, journal)
        clusters = self._find_initial(rows, learned, seeds, initial)
        if clusters is not None and clusters.interrupted:
            learned = learned.cut_short("the search for initial clusters")
        learned = self._cluster(rows, learned, clusters, seeds)
        self._take(learned)
        self.cluster_names_, self.edits_ = {}, []
        self._plan, self._states = None, []
        self.labels_ = self._settled_labels(rows)
        if some:
            self.labels_ = apply_in_blocks(self, X)
        if links is not None:
            self._keep_links(links, rows)
        return learned.interrupted

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "labels_" in state:
            # Older files know of no edits.
            state = {"cluster_names_": {}, "edits_": [], "_plan": None, **state}
        super().__setstate__(state)

    def _given_encoder(self) -> Any:
        """Return the encoder to use, fitted or not, or None; never the user's own."""
        given = unwrapped(self.encoder)
        if isinstance(given, str):
            return None
        if given is not None and not isinstance(given, Autoencoder):
            raise TypeError(
                f"encoder must be an Autoencoder, 'passthrough' or None, got {given!r}."
            )
        if is_fitted(given):
            check_unchanged(given, "encoder")
            return given
        own = clone(unwrapped(self._part("encoder")))
        if given is None:
            own.verbose = self.verbose
        if own.training is None:
            own.training = self._trainer._shared()
        return own

    def _check_fit(self, X: Any, encoder: Any) -> None:
        """Refuse what can't be fitted, before any training."""
        schedule = (getattr(self, name, None) for name in ("lr", "batch_size"))
        self._trainer._check(*schedule)
        check_enough(X, self._trainer.max_samples, self._n_wanted)
        if encoder is not None and not is_fitted(encoder):
            encoder._validate_params()
            encoder._check_fit(X)
        initial = self._initial()
        if initial is not None:
            latent_dim = X.shape[1] if encoder is None else encoder.latent_dim
            initial.check(type(self).__name__, latent_dim)

    def _pretrain(self, X: Any, encoder: Any, seed: int, journal: Journal) -> Learned:
        """Train the network, or take a copy of one that is."""
        device = resolve_device(self._trainer.device)
        if encoder is None:
            rows = Passthrough(X.shape[1])
            rows.set_scale(*input_moments(BatchDataset(X), INFERENCE_ROWS))
            return Learned(rows.to(device), {}, journal)
        if is_fitted(encoder):
            # One that was unpickled is on the CPU, whatever its device.
            module = copy.deepcopy(encoder.module_).to(device)
            return Learned(module, copy.deepcopy(encoder.history_), journal)
        if encoder.random_state is None:
            encoder.random_state = seed
        kept, seeds = journal, [*NetworkSeeds.of(encoder.random_state)]
        if self._trainer.checkpoint is None:
            kept, seeds = encoder._open_journal(X, seeds)
        learned = encoder._train_network(X, kept, NetworkSeeds(*seeds))
        interrupted = "pretraining" if learned.interrupted else None
        module = learned.module.to(device)
        return Learned(module, learned.history, journal, interrupted)

    def _initial(self) -> InitialClusters | None:
        """Strategy that finds the initial clusters; None where there are none."""
        return None

    def _find_initial(
        self,
        X: Any,
        learned: Learned,
        seeds: FitSeeds,
        initial: InitialClusters | None,
    ) -> Clusters | None:
        """Find initial clusters in rows and latent rows."""
        if initial is None:
            return None
        seed = seeds.graph if initial.of_graph else seeds.start
        Z = encode(learned.module, X)
        # Latent rows that are the rows themselves have nothing to add to them.
        views = [X] if isinstance(learned.module, Passthrough) else [X, Z]
        hurried = learned.interrupted is not None
        return initial.kept_or_found(learned.journal, views, Z, seed, hurried)

    def _cluster(
        self, X: Any, learned: Learned, clusters: Clusters | None, seeds: FitSeeds
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

    def _keep_links(self, links: Links, X: Any) -> None:
        """Move training rows whose links are broken, in ``labels_``."""
        raise NotImplementedError

    def _keep_clusters(self, kept: np.ndarray) -> None:
        """Drop all clusters but those of the given indices."""
        raise NotImplementedError

    @property
    def _n_wanted(self) -> int | None:
        """Number of clusters to arrive at; None where the algorithm finds it."""
        return self.n_clusters

    def _augmentation(self, n_features: int, seed: int) -> Augmentation | None:
        given = unwrapped(self.encoder)
        if not isinstance(given, Autoencoder):
            return None
        return given._augmentation(n_features, seed)

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
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            Cluster of each row; on the training data, ``labels_``. Rows of dropped
            clusters are -1.
        """
        check_is_fitted(self)
        Z = self._encode(self._check_input(X))
        labels = self._labels(Z)
        return labels if self._plan is None else self._plan.labels(labels, Z)

    def score(self, X: Any, y: Any = None) -> float:
        """How well the clusters follow the data; higher is better.

        It is the modularity of the predicted clusters in a graph of neighbours of
        ``X``, as :func:`skdeepcluster.model_selection.clustering_scorer` computes it.
        Every model is scored in the space of ``X``, so that scores compare. The loss of
        a training doesn't: it is measured in a latent space of the model's own, and is
        lowest where there is one cluster or nothing to learn.

        Parameters
        ----------
        {X}
        {y}

        Returns
        -------
        float
            From -0.5, also for a single cluster, to 1.
        """
        with plain_settings():
            return clustering_scorer()(self, X)

    def pretrain(self, X: Any, y: Any = None) -> "BaseDeepClusterer":
        """Return an unfitted copy that holds a trained encoder.

        All the fits of the copy, and of its clones, share the training that is paid
        for here: a search over the other parameters is cheap.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to train on.
        {y}

        Returns
        -------
        BaseDeepClusterer
            A copy of this estimator with ``encoder`` set; one that was fitted
            before is kept as it is.
        """
        encoder = self._given_encoder()
        if encoder is None:
            raise ValueError("encoder='passthrough' has no network to train.")
        if not is_fitted(encoder):
            if encoder.random_state is None:
                encoder.random_state = spawn_seeds(self.random_state, 1)[0]
            encoder.fit(X)
        return clone(self).set_params(encoder=encoder)


@documented
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
        {X}

        Returns
        -------
        ndarray of shape (n_samples, n_clusters)
            Soft assignment; rows sum to one. After edits, columns go up to the largest
            number that a cluster has, and are zero for numbers that none has. Those of
            dropped clusters are spread over the others.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        Z = self._encode(X)
        shares = self._assignments(Z)
        if self._plan is not None:
            labels = self._plan.labels(self._labels(Z), Z)
            shares = self._plan.shares(shares, labels, Z)
        return shares.astype(output_dtype(X), copy=False)


@documented
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
        {X}

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
        {X}
        {y}

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
            Component of each row; after edits, the cluster that it is in.
        """
        check_is_fitted(self)
        seed = spawn_seeds(self.random_state, 1)[0]
        with own_settings():
            Z, components = self._draw(n_samples, seed)
            if self._plan is not None:
                components = self._plan.labels(components, Z.astype(np.float32))
        return self.inverse_transform(Z), components
