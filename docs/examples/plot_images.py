"""
A folder of images
==================

From files to named groups and a table: read, describe each image by numbers, cluster,
look, name, write. The files are patches of the two photographs that scikit-learn ships,
in colour.
"""

import csv
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdeepcluster.explain import describe_clusters
from skdeepcluster.graph import GraphClustering
from skdeepcluster.plotting import ClusterImagesDisplay

folder = Path(tempfile.mkdtemp())
for name, photo in zip(["temple", "flower"], load_sample_images().images, strict=True):
    for top in range(0, photo.shape[0] - 31, 32):
        for left in range(0, photo.shape[1] - 31, 32):
            patch = photo[top : top + 32, left : left + 32]
            Image.fromarray(patch).save(folder / f"{name}-{top}-{left}.png")

# %%
# Files to arrays
# ---------------
#
# Images of one size, in RGB, are an array of shape (n, height, width, 3). Estimators
# want flat rows: ``images.reshape(len(images), -1)``.


def read(paths, size=(32, 32)):
    """Images as an array of shape (n, height, width, 3)."""
    images = [Image.open(path).convert("RGB").resize(size) for path in paths]
    return np.stack([np.asarray(image) for image in images])


paths = sorted(folder.glob("*.png"))
images = read(paths)
print(images.shape)

# %%
# Arrays to clusters
# ------------------
#
# Any transformer may describe the images. Here that is how much of each of 64 colours
# they have and how rough they are, as a function of a few lines. Photographs of things
# want the features of a pretrained network in its place, with a function of the same
# form::
#
#     network = timm.create_model("resnet18", pretrained=True, num_classes=0).eval()
#
#     def describe(images):
#         x = torch.as_tensor(images).permute(0, 3, 1, 2).float() / 255
#         with torch.inference_mode():
#             return torch.cat([network(part) for part in x.split(64)]).numpy()
#
# (normalise ``x`` as the network was trained). Small grey images, such as digits, can
# go without: ``DECClustering(encoder=Autoencoder(network="conv"))`` on flat rows.


def describe(images):
    """Shares of 64 colours, and mean differences of neighbouring pixels."""
    codes = images.astype(int) // 64 @ [16, 4, 1]
    colors = np.stack([np.bincount(code.ravel(), minlength=64) for code in codes])
    grey = images.mean(3)
    across = np.abs(np.diff(grey, axis=2)).mean((1, 2))
    down = np.abs(np.diff(grey, axis=1)).mean((1, 2))
    return np.column_stack(
        [np.sqrt(colors / colors.sum(1, keepdims=True)), across / 40, down / 40]
    )


pipeline = make_pipeline(
    FunctionTransformer(describe), PCA(20), GraphClustering(8, random_state=0)
)
labels = pipeline.fit_predict(images)

# %%
# Clusters to names
# -----------------
#
# A line of images for each cluster: give the images beside the rows where the rows are
# features.

ClusterImagesDisplay.from_predictions(images, labels, n_images=12)
plt.show()

# %%
# A look at its most typical images is enough to name a cluster. The name of the file
# stands here for what a person would say.

table = describe_clusters(None, describe(images), labels=labels, n_rows=1)
names = {}
for cluster, (row,) in table["typical_rows"].items():
    names[cluster] = f"{cluster}: like {paths[row].stem}"
print(table[["size", "share", "typical_rows"]])

# %%
# Names to a file
# ---------------

with open(folder / "labels.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "cluster", "name"])
    for path, label in zip(paths, labels, strict=True):
        writer.writerow([path.name, label, names[label]])
print(*(folder / "labels.csv").read_text().splitlines()[:4], sep="\n")

# %%
# The pipeline predicts what it hasn't seen: a patch between those above.

photo = load_sample_images().images[1]
print(names[pipeline.predict(photo[None, 210:242, 300:332])[0]])
