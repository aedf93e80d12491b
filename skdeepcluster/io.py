"""Save models, and load them from files that need not be trusted."""

from collections.abc import Sequence
from os import PathLike
from types import FunctionType, MethodType
from typing import Any

from sklearn.utils.validation import check_is_fitted

from skdeepcluster._extras import import_extra

__all__ = ["TRUSTED_TYPES", "load", "save", "to_torch"]

# What a saved estimator may hold of this package, and pipelines and searches around it
# beside what skops trusts: none of it runs code of the file's. A network of your own is
# a further type, ``skdeepcluster.networks.ForeignAutoencoder`` and its class.
TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "skdeepcluster._columns.Column",
    "skdeepcluster.estimators._acedec.ACeDeCClustering",
    "skdeepcluster.estimators._autoencoder.Autoencoder",
    "skdeepcluster.estimators._autoencoder_gmm.AutoencoderGMM",
    "skdeepcluster.estimators._autoencoder_kmeans.AutoencoderKMeans",
    "skdeepcluster.estimators._dcn.DCNClustering",
    "skdeepcluster.estimators._ddc.DDCClustering",
    "skdeepcluster.estimators._dec.DECClustering",
    "skdeepcluster.estimators._deepect.DeepECTClustering",
    "skdeepcluster.estimators._density_ddc.DensityDDCClustering",
    "skdeepcluster.estimators._dipdeck.DipDECKClustering",
    "skdeepcluster.estimators._dipencoder.DipEncoderClustering",
    "skdeepcluster.estimators._dkm.DKMClustering",
    "skdeepcluster.estimators._edits.Parted",
    "skdeepcluster.estimators._edits.Plan",
    "skdeepcluster.estimators._edits.Renumbered",
    "skdeepcluster.estimators._enrc.ENRCClustering",
    "skdeepcluster.estimators._idec.IDECClustering",
    "skdeepcluster.estimators._n2d.N2DClustering",
    "skdeepcluster.estimators._outliers.DeepOutlierDetector",
    "skdeepcluster.estimators._scan.SCANClustering",
    "skdeepcluster.estimators._temi.TEMIClustering",
    "skdeepcluster.estimators._training.Training",
    "skdeepcluster.estimators._vade.VaDEClustering",
    "skdeepcluster.graph.distances.GivenDistances",
    "skdeepcluster.graph._estimator.GraphClustering",
    "skdeepcluster.heads.AxesHead",
    "skdeepcluster.heads.CentroidHead",
    "skdeepcluster.heads.ClusterTreeHead",
    "skdeepcluster.heads.MixtureHead",
    "skdeepcluster.heads.SoftmaxHead",
    "skdeepcluster.heads.StudentTHead",
    "skdeepcluster.heads.UnitHead",
    "skdeepcluster.heads.SubspaceHead",
    "skdeepcluster.networks.ConvAutoencoder",
    "skdeepcluster.networks.MLPAutoencoder",
    "skdeepcluster.networks.Passthrough",
    "skdeepcluster.oddness.Columns",
    "skdeepcluster.oddness.Surroundings",
    "skdeepcluster.oddness.Tail",
    "skdeepcluster.graph.rows.Nodes",
    "skdeepcluster.graph.rows.RowSpace",
    "skdeepcluster.graph.tree.ClusterTree",
    "skdeepcluster.graph.votes.Voters",
    "skdeepcluster.labelling._classifier.ClusterThenLabelClassifier",
    "skdeepcluster.labelling._spreading.Graph",
    "skdeepcluster.scores.ClusteringScorer",
    "skdeepcluster.scores.calinski_harabasz",
    "skdeepcluster.scores.modularity",
    "skdeepcluster.scores.negative_davies_bouldin",
    "skdeepcluster.scores.silhouette",
    "skdeepcluster.model_selection._split.AllData",
    "skdeepcluster.topics.TopicClustering",
    "skdeepcluster.tables.CategoryPart",
    "skdeepcluster.tables.DatePart",
    "skdeepcluster.tables.EncodedColumn",
    "skdeepcluster.tables.NumberPart",
    "skdeepcluster.tables.TableEncoder",
    "skdeepcluster.tables.TextPart",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.KFold",
    "skrub._string_encoder.StringEncoder",
    "skrub._to_str.ToStr",
)

INSTEAD = (
    "give a function of a module, as one that loads a model by its name; the file then "
    "holds the name of the function. See Text in the user guide."
)


def save(estimator: Any, path: str | PathLike[str]) -> None:
    """Write a file that `load` reads without running code.

    Parameters
    ----------
    estimator : fitted estimator
        One of this package, or a pipeline or a search around it.
    path : str or path
        The file.

    Raises
    ------
    ValueError
        If the estimator holds what skops can't write, as a model of another library.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdeepcluster.graph import GraphClustering
    >>> from skdeepcluster.io import load, save
    >>> X, _ = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), GraphClustering(3)).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "pipeline.skops")
    ...     save(pipeline, file)
    ...     bool((load(file).predict(X) == pipeline.predict(X)).all())
    True
    """
    skops: Any = import_extra("skops.io", "save", "Saving without trust")
    functions = {
        f"{name}={value.__qualname__}": value
        for name, value in estimator.get_params().items()
        # Topics leave theirs out of the file themselves.
        if isinstance(value, FunctionType | MethodType)
        and name.rpartition("__")[2] != "embedder"
    }
    for name in functions:
        if "<" in name:
            raise ValueError(f"{name} can't be found again by its name: {INSTEAD}")
    try:
        skops.dump(estimator, path)
    except OSError:
        raise
    except Exception as error:
        methods = [name for name, it in functions.items() if isinstance(it, MethodType)]
        reason = f"{type(estimator).__name__} can't be saved: {as_text(error)}"
        if methods:
            reason = f"{', '.join(methods)} holds what skops can't write: {INSTEAD}"
        raise ValueError(reason) from error


def as_text(error: Exception) -> str:
    """Class of an error and what it says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def load(path: str | PathLike[str], trusted: Sequence[str] = ()) -> Any:
    """Load a file written by `save` or ``skops.io.dump``, which can run no code.

    Parameters
    ----------
    path : str or path
        The file.
    trusted : sequence of str, default=()
        Types that it may hold beside those of ``TRUSTED_TYPES``, which are of this
        package and of pipelines around it, and those that skops trusts.

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
    known = {*TRUSTED_TYPES, *trusted}
    try:
        others = sorted({*skops.get_untrusted_types(file=path)} - known)
        if not others:
            return skops.load(path, trusted=sorted(known))
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"{str(path)!r} can't be loaded: {as_text(error)}") from error
    raise ValueError(
        f"{str(path)!r} can't be loaded: it holds types that are not trusted. If you "
        f"know what they do, name them: trusted={others}."
    )


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
