"""Load saved models that need not be trusted."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

from skdeepcluster._extras import import_extra

__all__ = ["TRUSTED_TYPES", "load"]

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
