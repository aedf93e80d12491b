"""
Rows twice, and wrong labels
============================

Before anything is learned from data, two questions are cheap: what is there twice, and
which labels contradict all others? Here they are asked of digits with copies among
them, and with 3 % of the labels swapped.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdeepcluster.cleaning import label_issues, near_duplicates
from skdeepcluster.labelling import write_questions

X, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)

# %%
# Near duplicates
# ---------------
#
# Thirty digits are there a second time, with some noise. Rows count as nearly the same
# if the step to all others is much longer than steps elsewhere are: no threshold in the
# units of ``X`` has to be chosen.

copied = rng.permutation(len(X))[:30]
noise = 0.05 * X.std(axis=0) * rng.normal(size=(30, X.shape[1]))
table = near_duplicates(np.vstack([X, X[copied] + noise]))
print(table.head(6).round(3))
print(table["group"].nunique(), "groups")
print(len(near_duplicates(X)), "rows of the digits themselves have a near duplicate")

# %%
# All but the first of each group may be left out.

twice = table["row"][table.duplicated("group")]
print(np.all(np.sort(twice) == np.arange(len(X), len(X) + 30)))

# %%
# Labels that all others contradict
# ---------------------------------
#
# Each label is left out, and told by clusters, neighbours and a classifier from the
# others. The most suspicious come first.

swapped = rng.permutation(len(X))[: round(0.03 * len(X))]
labels = y.copy()
labels[swapped] = (y[swapped] + rng.integers(1, 10, size=len(swapped))) % 10
issues = label_issues(X, labels)
print(issues.head().round(3))

first = issues["row"][: len(swapped)]
print(f"{np.isin(first, swapped).mean():.3f} of the first {len(first)} were swapped")

# %%
# Look before you change anything: the label, and what is suggested.

figure, axes = plt.subplots(2, 8, figsize=(8, 2.8), layout="constrained")
for ax, issue in zip(axes.flat, issues.itertuples(), strict=False):
    ax.imshow(X[issue.row].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{issue.label}, or {issue.suggested}?", fontsize=8)
    ax.axis("off")
plt.show()

# %%
# A person decides on a page, which saves the answers; ``read_answers`` reads them. Of
# texts there is one for every row of the data.

texts = np.full(len(X), "", dtype=object)
texts[issues["row"]] = [
    f"labelled {issue.label}, suggested {issue.suggested}"
    for issue in issues.itertuples()
]
page = Path(tempfile.mkdtemp(), "page.html")
write_questions(
    page, issues["row"], list("0123456789"), images=X.reshape(-1, 8, 8), texts=texts
)
