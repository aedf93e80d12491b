"""
Densities find unusual rows
===========================

A Gaussian mixture in the latent space is a density: what it finds unlikely, far from
its clusters or hard to reconstruct resembles no digit. The error of reconstruction
tells which pixels are odd. The mixture also draws digits that nobody wrote.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepcluster import Autoencoder, AutoencoderGMM, DeepOutlierDetector

X, _ = load_digits(return_X_y=True)
autoencoder = Autoencoder((128,), max_epochs=30, random_state=0)
gmm = AutoencoderGMM(10, autoencoder=autoencoder, random_state=0).fit(X)

detector = DeepOutlierDetector(gmm, method="rank-average").fit(X)
unusual = X[np.argsort(detector.score_samples(X))[:8]]
lines = {
    "unusual": unusual,
    "why": detector.explain(unusual),
    "drawn": gmm.sample(8)[0],
}

fig, axes = plt.subplots(3, 8, figsize=(9, 4), layout="constrained")
for row, (name, images) in zip(axes, lines.items(), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
