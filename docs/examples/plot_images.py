"""
A folder of images
==================

From files to groups and to a table with a class for each file: read, make rows,
cluster, look, answer ten questions, write. The files are handwritten digits. Every
third is transparent, as drawings and icons often are.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits

from skdeepcluster.graph import GraphClustering
from skdeepcluster.images import features, pixels, read
from skdeepcluster.labelling import ClusterThenLabelClassifier, write_questions
from skdeepcluster.plotting import ClusterImagesDisplay

work = Path(tempfile.mkdtemp())
folder = work / "digits"
folder.mkdir()
digits = load_digits()
for i in range(len(digits.images)):
    ink = np.kron(digits.images[i] * 255 / 16, np.ones((4, 4))).astype(np.uint8)
    if i % 3 == 0:
        # Black ink on nothing, and behind that a colour which nobody sees.
        image = np.zeros((32, 32, 4), dtype=np.uint8)
        image[ink == 0, i % 2] = 255
        image[..., 3] = ink
    else:
        image = 255 - ink
    Image.fromarray(image).save(folder / f"{i:04}-is-{digits.target[i]}.png")

# %%
# Files to images
# ---------------
#
# ``read`` takes all images in a folder and below: upright, in colour, at most 256
# pixels a side, and on a background where they are transparent.

found = read(folder, background="white")
print(len(found.images), found.images[0].shape, found.left_out)
print(len(found.transparent), "transparent, as", found.transparent[0])

# %%
# Images to rows
# --------------
#
# Any function that makes rows of a list of images describes them, or any transformer.
# Here it is how dark each of 8 x 8 places is. Photographs of things want the features
# of a pretrained network, by a function of the same form::
#
#     network = timm.create_model("resnet18", pretrained=True, num_classes=0).eval()
#
#     def describe(images):
#         x = torch.as_tensor(pixels(images, 224)).view(-1, 224, 224, 3)
#         with torch.inference_mode():
#             return network(x.permute(0, 3, 1, 2))
#
# (normalise ``x`` as the network was trained).
#
# With ``cache=``, rows are kept in a file, and made again only for new images or after
# a change of the function: the second call here finds all of them.


def describe(images):
    """Darkness of 8 x 8 places."""
    return 1 - pixels(images, side=8).reshape(len(images), 64, 3).mean(2)


X = features(found.images, describe, cache=work / "features.npz")
X = features(found.images, describe, cache=work / "features.npz")
print(X.shape)

# %%
# Rows to groups
# --------------
#
# A line of images for each group. Images of different sizes are padded to one.

graph = GraphClustering(10, random_state=0).fit(X)
ClusterImagesDisplay.from_estimator(graph, X, images=found.images, n_images=12)
plt.show()

# %%
# Ten answers
# -----------
#
# Groups become classes by a few answers. The classifier chooses which images to ask
# about, and a page in one file asks a person; ``read_answers`` reads what it saves.
# Here, the name of the file stands for what a person would say.

answers = np.full(len(X), -1, dtype=object)
model = ClusterThenLabelClassifier(graph, warm_start=True, random_state=0)
rows = model.fit(X, answers).query(10)
choices = [str(digit) for digit in range(10)]
write_questions(work / "page.html", rows, choices, images=found.images)
for row in rows:
    answers[row] = Path(found.names[row]).stem[-1]
model.fit(X, answers)

truth = np.array([Path(name).stem[-1] for name in found.names])
print(f"{np.mean(model.transduction_ == truth):.3f} of the classes are right")

# %%
# A table with a class for each file
# ----------------------------------
#
# How sure a class is tells which files to look at.

table = pd.DataFrame(
    {
        "file": found.names,
        "group": graph.labels_,
        "class": model.transduction_,
        "probability": model.label_distributions_.max(axis=1).round(3),
    }
)
table.to_csv(work / "classes.csv", index=False)
print(table.sort_values("probability").head())

# %%
# New images have a class as well.

new = [np.roll(found.images[7], 2, axis=1)]
print(model.predict(features(new, describe)))
