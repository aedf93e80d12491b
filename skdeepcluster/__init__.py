"""scikit-learn compatible deep clustering."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdeepcluster.estimators._acedec import ACeDeCClustering
    from skdeepcluster.estimators._autoencoder import Autoencoder
    from skdeepcluster.estimators._autoencoder_gmm import AutoencoderGMM
    from skdeepcluster.estimators._autoencoder_kmeans import AutoencoderKMeans
    from skdeepcluster.estimators._dcn import DCNClustering
    from skdeepcluster.estimators._ddc import DDCClustering
    from skdeepcluster.estimators._dec import DECClustering
    from skdeepcluster.estimators._deepect import DeepECTClustering
    from skdeepcluster.estimators._density_ddc import DensityDDCClustering
    from skdeepcluster.estimators._dipdeck import DipDECKClustering
    from skdeepcluster.estimators._dipencoder import DipEncoderClustering
    from skdeepcluster.estimators._dkm import DKMClustering
    from skdeepcluster.estimators._enrc import ENRCClustering
    from skdeepcluster.estimators._idec import IDECClustering
    from skdeepcluster.estimators._n2d import N2DClustering
    from skdeepcluster.estimators._outliers import DeepOutlierDetector
    from skdeepcluster.estimators._scan import SCANClustering
    from skdeepcluster.estimators._temi import TEMIClustering
    from skdeepcluster.estimators._training import Training
    from skdeepcluster.estimators._vade import VaDEClustering

__version__ = "0.1.0"

__all__ = [
    "ACeDeCClustering",
    "Autoencoder",
    "AutoencoderGMM",
    "AutoencoderKMeans",
    "DCNClustering",
    "DDCClustering",
    "DECClustering",
    "DKMClustering",
    "DeepECTClustering",
    "DeepOutlierDetector",
    "DensityDDCClustering",
    "DipDECKClustering",
    "DipEncoderClustering",
    "ENRCClustering",
    "IDECClustering",
    "N2DClustering",
    "SCANClustering",
    "TEMIClustering",
    "Training",
    "VaDEClustering",
]

# Where each is, and what else there is.
_FILES = {
    "ACeDeCClustering": "_acedec",
    "Autoencoder": "_autoencoder",
    "AutoencoderGMM": "_autoencoder_gmm",
    "AutoencoderKMeans": "_autoencoder_kmeans",
    "DCNClustering": "_dcn",
    "DDCClustering": "_ddc",
    "DECClustering": "_dec",
    "DKMClustering": "_dkm",
    "DeepECTClustering": "_deepect",
    "DeepOutlierDetector": "_outliers",
    "DensityDDCClustering": "_density_ddc",
    "DipDECKClustering": "_dipdeck",
    "DipEncoderClustering": "_dipencoder",
    "ENRCClustering": "_enrc",
    "IDECClustering": "_idec",
    "N2DClustering": "_n2d",
    "SCANClustering": "_scan",
    "TEMIClustering": "_temi",
    "Training": "_training",
    "VaDEClustering": "_vade",
}
_SUBMODULES = (
    "cleaning",
    "explain",
    "graph",
    "images",
    "io",
    "labelling",
    "metrics",
    "model_selection",
    "plotting",
    "streams",
    "tables",
    "topics",
)


def __getattr__(name: str) -> Any:
    # torch takes seconds and 200 MB to load, which a graph of neighbours, metrics and
    # pictures do without.
    if name in _SUBMODULES:
        return import_module(f"skdeepcluster.{name}")
    if name in _FILES:
        return getattr(import_module(f"skdeepcluster.estimators.{_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
