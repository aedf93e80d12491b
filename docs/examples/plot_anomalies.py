"""
Unusual digits, and digits that nobody wrote
============================================

The detector knows digits by their neighbours and by a network that reconstructs what is
usual: what is far from both resembles no digit. For each pixel, it tells what the other
pixels make likely, and so which strokes are odd. A Gaussian mixture in the latent space
of an autoencoder is a density of digits, which also draws new ones.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepcluster import Autoencoder, AutoencoderGMM, DeepOutlierDetector

X, _ = load_digits(return_X_y=True)
detector = DeepOutlierDetector(random_state=0).fit(X)
unusual = X[np.argsort(detector.score_samples(X))[:8]]

autoencoder = Autoencoder((128,), max_epochs=30, random_state=0)
gmm = AutoencoderGMM(10, encoder=autoencoder, random_state=0).fit(X)

lines = {
    "unusual": unusual,
    "expected": detector.expected(unusual),
    "why": np.sqrt(detector.explain(unusual)),
    "drawn": gmm.sample(8)[0],
}

fig, axes = plt.subplots(4, 8, figsize=(9, 5), layout="constrained")
for row, (name, images) in zip(axes, lines.items(), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
