"""The autoencoder as a scikit-learn transformer."""

import copy
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from torch import nn

from skdeepcluster._callbacks import CosineAnnealing, GoingOn
from skdeepcluster._devices import resolve_device
from skdeepcluster._docs import documented
from skdeepcluster._images import channel_axis, checked_shape, square
from skdeepcluster._modules import input_moments
from skdeepcluster._resume import Journal, Page
from skdeepcluster._seeds import NetworkSeeds
from skdeepcluster._sklearn import Interval, StrOptions, _fit_context
from skdeepcluster._tasks import telling
from skdeepcluster.augment import NAMES, Augmentation, augmentation, checked_names
from skdeepcluster.batches import INFERENCE_ROWS, BatchDataset
from skdeepcluster.estimators._base import (
    COMMON_CONSTRAINTS,
    SCHEDULE_CONSTRAINTS,
    BaseDecodingEstimator,
    Learned,
    as_output,
    end_interrupted,
    learning,
)
from skdeepcluster.estimators._given import is_fitted
from skdeepcluster.estimators._objectives import OBJECTIVES, Reconstruction
from skdeepcluster.estimators._schedule import FEW_ROWS, hidden_widths, schedule
from skdeepcluster.estimators._training import Training
from skdeepcluster.networks import (
    AutoencoderModule,
    ConvAutoencoder,
    ForeignAutoencoder,
    MLPAutoencoder,
    build,
)
from skdeepcluster.streams import takes_any_rows
from skdeepcluster.training import Trained


@documented
class Autoencoder(BaseDecodingEstimator):
    """Autoencoder that maps rows to a small latent space and back.

    A dense network, d-500-500-2000-m for many rows, and its mirror are trained to
    reconstruct the input [1]_, as introduced for deep clustering in [2]_; rows that are
    flattened images may go through convolutions instead, as in [3]_. Rows are centred
    by feature and divided by one overall standard deviation inside the network, so
    input needs no scaling where its features share a unit; put a ``StandardScaler``
    before it where they don't. Any scikit-learn clusterer can follow in a pipeline.

    Parameters
    ----------
    hidden_units : sequence of int or None, default=None
        Widths of the encoder's hidden layers; the decoder mirrors them. Only of the
        "mlp". None takes the 500, 500 and 2,000 of the papers, and 500 three times for
        fewer than 5,000 rows.
    latent_dim : int, default=10
        Number of latent dimensions.
    network : {"mlp", "conv"} or callable, default="mlp"
        "mlp" is dense. "conv" has three convolutions of 32, 64 and 128 channels with
        stride 2, a dense bottleneck, and their mirror. A :class:`torch.nn.Module`
        class, or a function that returns a module, is called with the keywords
        ``n_features`` and ``latent_dim``; the module has methods ``encode(x)`` and
        ``decode(z)``, or attributes ``encoder`` and ``decoder``, from standardised
        rows to latent rows and back. It is saved as far as that class or function can
        be imported.
    image_shape : tuple of int or None, default=None
        Shape of the image that each row is: (height, width) if it is grey, (height,
        width, channels) in the order of Pillow, scikit-image and matplotlib, or
        (channels, height, width) in that of torch. Up to four at one end are channels;
        with more of them, the image must be square. None takes square grey images for
        "conv" and ``augment``, and gives a network of yours flat rows; otherwise it
        gets them in this very shape.
    objective : {"reconstruction", "neighbors"}, default="reconstruction"
        What the latent space is trained for. With "neighbors", a row and one of its 15
        nearest attract each other, and both repel all others of the batch [5]_, as in
        parametric UMAP [6]_; rows are reconstructed as well. k-means and mixtures then
        find better clusters in the latent space, and pictures of two dimensions show
        them, where classes are of similar sizes. But a cluster takes the more room, the
        more rows it has: one of most of the rows is cut. A pass over the data takes
        twice as long. A graph of neighbours, which clusterers start from by default,
        knows what they know, and gains nothing.
    noise : float, default=0.0
        Share of input entries that training hides from the encoder, which has to guess
        them from the others (denoising).
    augment : {"shift", "rotate", "flip"}, sequence of them, callable or None, \
            default=None
        How training changes images, each time anew, so that the network learns to
        disregard such changes [4]_: shifts by up to a tenth of the side, rotations by
        up to ten degrees, and mirror images, which few digits or letters bear. Edges
        go on beyond the image. The changed image is what is reconstructed; a clusterer
        around this autoencoder trains on changed images as well, towards the clusters
        of the images as they are. Predictions change nothing. A callable
        ``(images, generator)`` gets a tensor of shape (n_samples, channels, height,
        width) in the units of ``X`` and a :class:`torch.Generator` to draw from, and
        returns changed images. Any ``network`` can learn from them, the "mlp" as well.
    max_epochs : int or None, default=None
        Passes over the data. None makes 50, or for many rows as many as take 4,000
        steps, as 15 over 70,000 rows; 30 over fewer than 5,000; and half of that for up
        to 30 columns. The papers train longer, and k-means and mixtures in the latent
        space gain from it.
    batch_size : int or None, default=None
        Rows in a step, at most. None makes 256, and of fewer than 5,000 rows a 28th,
        but 32 at least.
    lr : float or None, default=None
        Learning rate at the start; it falls to zero along half a cosine. None makes
        1e-3, and 2e-3 for fewer than 5,000 rows.
    {common}

    Attributes
    ----------
    {module_}
    {pretraining_history_}
    n_iter_ : int
        Epochs run.
    {features}

    References
    ----------
    .. [1] Hinton, G. E. and Salakhutdinov, R. R. (2006). Reducing the dimensionality
       of data with neural networks. Science 313.
    .. [2] Xie, J., Girshick, R. and Farhadi, A. (2016). Unsupervised deep embedding
       for clustering analysis. ICML. https://arxiv.org/abs/1511.06335
    .. [3] Guo, X., Liu, X., Zhu, E. and Yin, J. (2017). Deep clustering with
       convolutional autoencoders. ICONIP.
    .. [4] Guo, X., Zhu, E., Liu, X. and Yin, J. (2018). Deep embedded clustering with
       data augmentation. ACML. https://proceedings.mlr.press/v95/guo18b.html
    .. [5] Damrich, S., Böhm, J. N., Hamprecht, F. A. and Kobak, D. (2023). From t-SNE
       to UMAP with contrastive learning. ICLR. https://arxiv.org/abs/2206.01816
    .. [6] Sainburg, T., McInnes, L. and Gentner, T. Q. (2021). Parametric UMAP
       embeddings for representation and semisupervised learning. Neural Computation 33.

    Examples
    --------
    >>> from sklearn.cluster import KMeans
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepcluster import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(hidden_units=(64,), max_epochs=5, random_state=0)
    >>> make_pipeline(encoder, KMeans(10, random_state=0)).fit_predict(X).shape
    (1797,)
    """

    _parameter_constraints: dict = {
        **COMMON_CONSTRAINTS,
        **{name: [*kinds, None] for name, kinds in SCHEDULE_CONSTRAINTS.items()},
        "hidden_units": ["array-like", None],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "network": [StrOptions({"mlp", "conv"}), callable],
        "image_shape": ["array-like", None],
        "objective": [StrOptions({*OBJECTIVES})],
        "noise": [Interval(Real, 0, 1, closed="left")],
        "augment": [StrOptions({*NAMES}), "array-like", callable, None],
    }

    def __init__(
        self,
        hidden_units: Any = None,
        latent_dim: int = 10,
        *,
        network: Any = "mlp",
        image_shape: Any = None,
        objective: str = "reconstruction",
        noise: float = 0.0,
        augment: Any = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        training: Training | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.hidden_units = hidden_units
        self.latent_dim = latent_dim
        self.network = network
        self.image_shape = image_shape
        self.objective = objective
        self.noise = noise
        self.augment = augment
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.training = training
        self.verbose = verbose
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @telling
    def fit(self, X: Any, y: Any = None) -> "Autoencoder":
        """Train the network on ``X``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        {y}

        Returns
        -------
        {self}

        Raises
        ------
        {refused}
        """
        with learning(self) as model:
            rows, _ = model._rows_to_learn(X)
            model._check_fit(rows)
            seeds = [*NetworkSeeds.of(self.random_state)]
            journal, seeds = model._open_journal(rows, seeds)
            learned = model._train_network(rows, journal, NetworkSeeds(*seeds))
            model._take(learned)
        end_interrupted(self, learned.interrupted)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> "Autoencoder":
        """Go on learning, by one pass over further rows of a stream.

        The first rows decide the scale of the data, and should be like the others.
        Where ``hidden_units``, ``batch_size`` or ``lr`` is None, it has the value that
        `fit` takes for many rows. The learning rate doesn't fall.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        {y}

        Returns
        -------
        self : object
            The fitted estimator. Saved and loaded, it goes on without the optimizer's
            memory of the gradients.

        Raises
        ------
        {refused}

        Examples
        --------
        >>> import numpy as np
        >>> from skdeepcluster import Autoencoder
        >>> stream = np.random.default_rng(0).normal(size=(5, 200, 8))
        >>> encoder = Autoencoder((16,), 2, random_state=0)
        >>> for rows in stream:
        ...     encoder = encoder.partial_fit(rows)
        >>> encoder.n_iter_
        5
        """
        with learning(self, going_on=is_fitted(self)) as model:
            learned = model._learn_more(X)
            model._take(learned)
        end_interrupted(self, learned.interrupted)
        return self

    def _learn_more(self, X: Any) -> Learned:
        """Train a copy of the network, or a new one, by a pass over the rows."""
        going_on = hasattr(self, "module_")
        X = self._check_input(X, reset=not going_on)
        self._check_training()
        seeds = NetworkSeeds.of(self.random_state)
        epochs, momenta = [], {}
        if going_on:
            module = copy.deepcopy(self.module_).to(
                resolve_device(self._trainer.device)
            )
            epochs = self.history_["pretraining"]
            momenta = getattr(self, "_momenta_", momenta)
        else:
            module = self._new_module(X, seeds.weights, FEW_ROWS)
        memory = GoingOn(momenta)
        batch_size, _, lr = self._schedule(FEW_ROWS, X.shape[1])
        trained = self._train_module(
            module,
            X,
            seeds._replace(
                order=seeds.order + len(epochs), noise=seeds.noise + len(epochs)
            ),
            Page(),
            memory,
            (batch_size, 1, lr),
        )
        history = [*epochs]
        for row in trained.history:
            history.append({**row, "epoch": len(history) + 1})
        learned = Learned(module, {}, Journal()).after(
            "pretraining", "training", replace(trained, history=history)
        )
        return learned.adding(n_iter_=len(history), _momenta_=memory.momenta)

    def _check_fit(self, X: Any) -> None:
        """Refuse what can't be fitted, before any training."""
        self._check_training()
        self._network(*X.shape)
        self._augmentation(X.shape[1], 0)

    def _check_training(self) -> None:
        self._trainer._check(self.lr, self.batch_size)
        for name, value in (self._trainer.net_params or {}).items():
            takes_rows = name.partition("__")[0] in ("iterator_train", "train_split")
            if takes_rows and value is not None and self.objective == "neighbors":
                raise ValueError(
                    f"net_params has {name!r}, but objective='neighbors' trains on "
                    "pairs of all the rows; leave it out, or take "
                    "objective='reconstruction'."
                )
        check_widths(() if self.hidden_units is None else self.hidden_units)
        if self.augment is not None and not callable(self.augment):
            checked_names(self.augment)
        if isinstance(self.network, nn.Module):
            raise TypeError(
                "network is a module that is built already; give its class, or a "
                "function that returns a new one."
            )

    def _network(self, n_samples: int, n_features: int) -> tuple[type, dict[str, Any]]:
        """Class of the network for so many rows and columns, and its arguments."""
        latent_dim = int(self.latent_dim)
        if isinstance(self.network, str) and self.network == "mlp":
            widths = self.hidden_units
            if widths is None:
                widths = hidden_widths(n_samples)
            hidden_units = [int(units) for units in widths]
            return MLPAutoencoder, {
                "n_features": n_features,
                "hidden_units": hidden_units,
                "latent_dim": latent_dim,
            }
        image_shape = self._image_shape(n_features)
        if callable(self.network):
            return ForeignAutoencoder, {
                "network": self.network,
                "n_features": n_features,
                "latent_dim": latent_dim,
                "image_shape": image_shape,
            }
        shape = image_shape or square(n_features, "network='conv'")
        config: dict[str, Any] = {"image_shape": shape, "latent_dim": latent_dim}
        if len(shape) == 2:
            config["image_shape"] = (1, *shape)
        elif channel_axis(shape) == 2:
            config["channels_last"] = True
        return ConvAutoencoder, config

    def _image_shape(self, n_features: int) -> tuple[int, ...] | None:
        if self.image_shape is None:
            return None
        return checked_shape(self.image_shape, n_features)

    def _augmentation(self, n_features: int, seed: int) -> Augmentation | None:
        if self.augment is None:
            return None
        shape = self._image_shape(n_features) or square(n_features, "augment")
        return augmentation(self.augment, shape, seed)

    def _train_network(self, X: Any, journal: Journal, seeds: NetworkSeeds) -> Learned:
        """Build and train the network."""
        module = self._new_module(X, seeds.weights, X.shape[0])
        schedule = self._schedule(*X.shape)
        page, fall = journal.page("pretraining"), CosineAnnealing(schedule[1])
        trained = self._train_module(module, X, seeds, page, fall, schedule)
        learned = Learned(module, {}, journal).after("pretraining", "training", trained)
        return learned.adding(n_iter_=len(trained.history))

    def _train_module(
        self,
        module: AutoencoderModule,
        X: Any,
        seeds: NetworkSeeds,
        page: Page,
        callback: Callback,
        schedule: tuple[int, int, float],
    ) -> Trained:
        """Train a network in place."""
        batch_size, epochs, lr = schedule
        return self._train(
            OBJECTIVES[self.objective],
            Reconstruction(module, self.noise, seeds.noise),
            X,
            seeds.order,
            page,
            own_callbacks=[callback],
            max_epochs=epochs,
            batch_size=batch_size,
            lr=lr,
        )

    def _new_module(self, X: Any, seed: int, n_samples: int) -> AutoencoderModule:
        """Build the network for so many rows like these."""
        network, config = self._network(n_samples, X.shape[1])
        module = build(network, seed, **config)
        module.set_scale(*input_moments(BatchDataset(X), INFERENCE_ROWS))
        return module

    def _schedule(self, n_samples: int, n_features: int) -> tuple[int, int, float]:
        given = self.batch_size, self.max_epochs, self.lr
        return schedule(n_samples, n_features, *given)

    def __getstate__(self) -> dict[str, Any]:
        # The optimizer goes on without its memory, of twice the size of the network.
        state = super().__getstate__()
        state.pop("_momenta_", None)
        return state

    @takes_any_rows
    def score_samples(self, X: Any) -> np.ndarray:
        """How well each row is reconstructed; higher is more normal.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative mean squared error over the features, in squared units of ``X``.
        """
        check_is_fitted(self)
        X = self._check_input(X)
        errors = self._reconstruction_errors(X) * self.module_.scale.item() ** 2
        return as_output(-errors, X)

    def score(self, X: Any, y: Any = None) -> float:
        """Negative mean squared reconstruction error; higher is better.

        Parameters
        ----------
        {X}
        {y}

        Returns
        -------
        float
            Mean of `score_samples`.
        """
        return float(self.score_samples(X).mean(dtype=np.float64))


def check_widths(units: Any) -> None:
    """Refuse widths of hidden layers that are none."""
    if not all(isinstance(width, Integral) and int(width) > 0 for width in units):
        raise ValueError(
            "hidden_units must hold positive whole numbers, as in (500, 2000), got "
            f"{units!r}."
        )
