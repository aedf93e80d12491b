"""Load saved models that need not be trusted."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skdeepcluster._extras import import_extra

__all__ = ["TRUSTED_TYPES", "load", "to_torch"]

# What a saved estimator may hold of this package. A network of your own is a further
# type, ``skdeepcluster.networks.ForeignAutoencoder`` and its class.
TRUSTED_TYPES = (
    "skdeepcluster.estimators._autoencoder.Autoencoder",
    "skdeepcluster.estimators._autoencoder_gmm.AutoencoderGMM",
    "skdeepcluster.estimators._autoencoder_kmeans.AutoencoderKMeans",
    "skdeepcluster.estimators._dcn.DCNClustering",
    "skdeepcluster.estimators._ddc.DDCClustering",
    "skdeepcluster.estimators._dec.DECClustering",
    "skdeepcluster.estimators._density_ddc.DensityDDCClustering",
    "skdeepcluster.estimators._dkm.DKMClustering",
    "skdeepcluster.estimators._idec.IDECClustering",
    "skdeepcluster.estimators._n2d.N2DClustering",
    "skdeepcluster.estimators._outliers.DeepOutlierDetector",
    "skdeepcluster.estimators._vade.VaDEClustering",
    "skdeepcluster.graph.distances.GivenDistances",
    "skdeepcluster.graph._estimator.GraphClustering",
    "skdeepcluster.heads.CentroidHead",
    "skdeepcluster.heads.MixtureHead",
    "skdeepcluster.heads.SoftmaxHead",
    "skdeepcluster.heads.StudentTHead",
    "skdeepcluster.networks.ConvAutoencoder",
    "skdeepcluster.networks.MLPAutoencoder",
    "skdeepcluster.oddness.Columns",
    "skdeepcluster.oddness.Surroundings",
    "skdeepcluster.oddness.Tail",
    "skdeepcluster.graph.rows.RowSpace",
    "skdeepcluster.graph.tree.ClusterTree",
    "skdeepcluster.graph.votes.Voters",
)


def load(path: str | PathLike[str], trusted: Sequence[str] = ()) -> Any:
    """Load a file written by ``skops.io.dump``, which can run no code.

    Parameters
    ----------
    path : str or path
        The file.
    trusted : sequence of str, default=()
        Types that it may hold beside those of this package, in ``TRUSTED_TYPES``, and
        those that skops trusts.

    Returns
    -------
    estimator
        What was saved.

    Raises
    ------
    ValueError
        If the file is damaged, of another kind or of a newer version, or holds a type
        that isn't trusted.
    """
    skops: Any = import_extra("skops.io", "save", "Loading without trust")
    try:
        return skops.load(path, trusted=[*TRUSTED_TYPES, *trusted])
    except OSError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{str(path)!r} can't be loaded: {reason}") from error


def to_torch(estimator: Any) -> Any:
    """Make a module of plain torch layers of what `transform` of an estimator computes.

    It maps a tensor of rows, in the units of the training data, to latent rows; they
    are standardised within. What torch exports, quantises or compiles can be had of it.

    Parameters
    ----------
    estimator : object
        A fitted estimator with a network.

    Returns
    -------
    torch.nn.Module
        A copy on the CPU, ready to predict.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from skdeepcluster import Autoencoder
    >>> from skdeepcluster.io import to_torch
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = Autoencoder((64,), max_epochs=2).fit(X)
    >>> to_torch(encoder)(torch.from_numpy(X)).shape
    torch.Size([1797, 10])
    """
    from skdeepcluster.networks import LatentRows

    check_is_fitted(estimator, "module_")
    head = getattr(estimator, "head_", None)
    return LatentRows(estimator.module_, head if hasattr(head, "hidden") else None)
