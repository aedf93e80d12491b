"""scikit-learn compatible deep clustering."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdeepcluster.estimators import (
        Autoencoder,
        AutoencoderGMM,
        AutoencoderKMeans,
        DCNClustering,
        DDCClustering,
        DECClustering,
        DeepOutlierDetector,
        DensityDDCClustering,
        DKMClustering,
        IDECClustering,
        N2DClustering,
        Training,
        VaDEClustering,
    )

__version__ = "0.1.0"

__all__ = [
    "Autoencoder",
    "AutoencoderGMM",
    "AutoencoderKMeans",
    "DCNClustering",
    "DDCClustering",
    "DECClustering",
    "DKMClustering",
    "DeepOutlierDetector",
    "DensityDDCClustering",
    "IDECClustering",
    "N2DClustering",
    "Training",
    "VaDEClustering",
]

_SUBMODULES = (
    "explain",
    "graph",
    "io",
    "labelling",
    "metrics",
    "model_selection",
    "plotting",
    "streams",
)


def __getattr__(name: str) -> Any:
    # torch takes seconds and 200 MB to load, which a graph of neighbours, metrics and
    # pictures do without.
    if name in _SUBMODULES:
        return import_module(f"skdeepcluster.{name}")
    if name in __all__:
        return getattr(import_module("skdeepcluster.estimators"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
