"""Every public estimator, and instances of it that fit in milliseconds."""

import contextlib
import inspect
import warnings

import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

import skdeepcluster
from skdeepcluster import Autoencoder, AutoencoderGMM, Training
from skdeepcluster.estimators import _joint
from skdeepcluster.graph import GraphClustering

ESTIMATORS = [
    value
    for name in skdeepcluster.__all__
    if inspect.isclass(value := getattr(skdeepcluster, name))
    and issubclass(value, BaseEstimator)
    and hasattr(value, "fit")
]


def can_dispatch():
    """Whether the versions at hand let scikit-learn dispatch by the array API."""
    try:
        with sklearn.config_context(array_api_dispatch=True):
            return True
    except ImportError:
        return False


@contextlib.contextmanager
def brief_teaching():
    """Teach networks a graph's clusters for a moment, where it matters not how well.

    Processes that are started within it do so as long as ever.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_joint, "TEACHING_EPOCHS", 1)
        patch.setattr(_joint, "TEACHING_STEPS", 20)
        yield


def interrupt_next_step(net):
    """Let a user's Ctrl-C fall into the next step of a training."""

    def strike(*args, **kwargs):
        del net.get_loss
        raise KeyboardInterrupt

    net.get_loss = strike


OF_TRAINING = inspect.signature(Training).parameters


def settings_for(cls, **settings):
    """The settings that an estimator, or its training, has a parameter for."""
    names = {*inspect.signature(cls).parameters}
    if "training" in names:
        names |= {*OF_TRAINING}
    return {name: value for name, value in settings.items() if name in names}


def made(cls, **settings):
    """An estimator with settings of which some are of its training."""
    own = inspect.signature(cls).parameters
    inner = {name: settings[name] for name in settings if name not in own}
    outer = {name: settings[name] for name in settings if name in own}
    return cls(**outer, training=Training(**inner)) if inner else cls(**outer)


def tiny_autoencoder(**settings):
    settings = {"hidden_units": (16,), "latent_dim": 3, "max_epochs": 3, **settings}
    return made(Autoencoder, **settings)


def tiny(cls, **changes):
    """A small instance: whatever it has of these parameters is set."""
    settings = {
        "hidden_units": (16,),
        "latent_dim": 3,
        "encoder": tiny_autoencoder(),
        "n_clusters": 4,
        "n_init": 2,
        "n_heads": 2,
        "max_embedded": 50,
        "max_epochs": 3,
        "random_state": 0,
    }
    # One estimator proves the graph's start, which takes hundreds of steps, and one
    # that of k-means with all its restarts.
    inits = {"DECClustering": GraphClustering(n_init=2)}
    inits |= dict.fromkeys(["DDCClustering", "DipDECKClustering"], "k-means")
    settings["init"] = inits.get(cls.__name__, KMeans(n_init=1))
    settings |= changes
    if "estimator" in inspect.signature(cls).parameters:
        inner = {**changes, "random_state": None}
        settings.setdefault("estimator", tiny(AutoencoderGMM, **inner))
    return made(cls, **settings_for(cls, **settings))


def trained(estimator):
    """The estimator that holds the network: itself, or the one that it wraps."""
    return getattr(estimator, "estimator_", estimator)


def fitted(estimator, X, y=None):
    """Fit quietly: a few epochs of a tiny network may lose a cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def of_type(estimator_type):
    """Estimators of a type, as scikit-learn's tags name it."""
    return [cls for cls in ESTIMATORS if type_of(cls) == estimator_type]


def type_of(cls):
    return cls.__sklearn_tags__(cls()).estimator_type


CLUSTERERS = of_type("clusterer")
# Those that train a network by parameters of their own, and those that do it twice.
TRAINERS = [cls for cls in ESTIMATORS if settings_for(cls, lr=1e-3)]
TWO_PHASES = [cls for cls in TRAINERS if settings_for(cls, encoder=None)]
# Clusterers with a network beside their clusters, and heads alone, on embeddings.
WITH_ENCODER = [cls for cls in CLUSTERERS if settings_for(cls, encoder=None)]
HEADS = [cls for cls in CLUSTERERS if settings_for(cls, n_heads=1)]
NEED_NETWORKS = [cls for cls in CLUSTERERS if getattr(cls, "_needs_network", False)]
TOLD_N_CLUSTERS = [cls for cls in CLUSTERERS if settings_for(cls, n_clusters=1)]
OUTLIER_DETECTORS = of_type("outlier_detector")
TRANSFORMERS = [cls for cls in ESTIMATORS if hasattr(cls, "transform")]
