"""The estimators, an algorithm a file."""

from skdeepcluster.estimators._autoencoder import Autoencoder
from skdeepcluster.estimators._autoencoder_gmm import AutoencoderGMM
from skdeepcluster.estimators._autoencoder_kmeans import AutoencoderKMeans
from skdeepcluster.estimators._dcn import DCNClustering
from skdeepcluster.estimators._ddc import DDCClustering
from skdeepcluster.estimators._dec import DECClustering
from skdeepcluster.estimators._density_ddc import DensityDDCClustering
from skdeepcluster.estimators._dkm import DKMClustering
from skdeepcluster.estimators._idec import IDECClustering
from skdeepcluster.estimators._n2d import N2DClustering
from skdeepcluster.estimators._outliers import DeepOutlierDetector
from skdeepcluster.estimators._training import Training
from skdeepcluster.estimators._vade import VaDEClustering

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
