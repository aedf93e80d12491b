"""Pictures of clusterings, in the manner of scikit-learn's displays."""

from skdeepcluster.plotting._bars import ClusterSizesDisplay, ConfidenceDisplay
from skdeepcluster.plotting._confusion import MatchedConfusionDisplay
from skdeepcluster.plotting._embedding import EmbeddingDisplay
from skdeepcluster.plotting._features import ClusterFeaturesDisplay
from skdeepcluster.plotting._images import ClusterImagesDisplay
from skdeepcluster.plotting._silhouette import SilhouetteDisplay
from skdeepcluster.plotting._terms import TopTermsDisplay, top_terms
from skdeepcluster.plotting._training import TrainingHistoryDisplay
from skdeepcluster.plotting._tree import ClusterTreeDisplay

__all__ = [
    "ClusterFeaturesDisplay",
    "ClusterImagesDisplay",
    "ClusterSizesDisplay",
    "ClusterTreeDisplay",
    "ConfidenceDisplay",
    "EmbeddingDisplay",
    "MatchedConfusionDisplay",
    "SilhouetteDisplay",
    "TopTermsDisplay",
    "TrainingHistoryDisplay",
    "top_terms",
]
