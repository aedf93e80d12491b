"""
Choosing without labels
=======================

Which clusterer, and how many clusters? Labels are used on this page only to see
whether the answers were right.
"""

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdeepcluster import Autoencoder, AutoencoderGMM
from skdeepcluster.model_selection import (
    AllData,
    clustering_scorer,
    compare_clusterers,
    select_n_clusters,
)

X, y = load_digits(return_X_y=True)
autoencoder = Autoencoder((200, 100), max_epochs=20, random_state=0).fit(X)

# %%
# A table of candidates of any kind. One that fails has a row that says why.
# ``comparison.to_html("report.html")`` writes the table and more pictures to one file.

candidates = {
    "k-means": KMeans(10),
    "mixture": make_pipeline(PCA(20), GaussianMixture(10)),
    "latent mixture": AutoencoderGMM(10, encoder=autoencoder),
    "too many": KMeans(5000),
}
comparison = compare_clusterers(candidates, X, y)
comparison.plot()
plt.show()

# %%
# The number of clusters, with what each criterion has to say.

selection = select_n_clusters(candidates["latent mixture"], X, range(5, 16))
selection.plot()
plt.show()

# %%
# The same question to a grid search of scikit-learn. The autoencoder is shared by all
# its fits.

search = GridSearchCV(
    AutoencoderGMM(encoder=autoencoder, random_state=0),
    {"n_clusters": range(6, 15), "covariance_type": ["full", "diag"]},
    scoring=clustering_scorer(),
    cv=AllData(),
).fit(X)
print(search.best_params_, f"{search.best_score_:.3f}")
