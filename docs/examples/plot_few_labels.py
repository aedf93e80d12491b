"""
Labels from few answers
=======================

A person labels a few digits, and a classifier labels the others. It starts from
clusters, chooses which rows to ask about, and gets better with every answer.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

from skdeepcluster.graph import GraphClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier

X, y = load_digits(return_X_y=True)

# %%
# ``y`` holds -1 where the class is unknown, which at first is everywhere. The first
# rows to ask about stand for the clusters.

answers = np.full(len(X), -1)
model = ClusterThenLabelClassifier(
    GraphClustering(10), warm_start=True, random_state=0
).fit(X, answers)
rows = model.query(10)

figure, axes = plt.subplots(1, 10, figsize=(8, 1.2))
for ax, row in zip(axes, rows, strict=True):
    ax.imshow(X[row].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"row {row}", fontsize=7)
    ax.axis("off")

# %%
# The loop: fit, ask, write down the answers. In place of a person, an oracle answers
# here; whoever doesn't know leaves -1, and the row goes to ``skipped`` so that it isn't
# asked about again. ``warm_start`` keeps the clusters, for only the answers are new.


def ask(row):
    """Answer as a person would, who can't read every seventh row."""
    return -1 if row % 7 == 0 else y[row]


skipped, curve = [], {}
for budget in (10, 20, 50, 100, 200):
    while (missing := budget - (answers >= 0).sum()) > 0:
        for row in model.query(min(missing, 10), exclude=skipped):
            answers[row] = ask(row)
            if answers[row] == -1:
                skipped.append(row)
        model.fit(X, answers)
    curve[budget] = np.mean(model.transduction_ == y)
    print(f"{budget:3d} answers: {curve[budget]:.3f} of all rows are right")

# %%
# As many random rows tell a logistic regression and scikit-learn's label spreading
# less.

order = np.random.RandomState(0).permutation(len(X))
rivals = {"logistic regression": [], "label spreading": []}
for budget in curve:
    known = order[:budget]
    regression = LogisticRegression(max_iter=5000).fit(X[known], y[known])
    rivals["logistic regression"].append(regression.score(X, y))
    some = np.full(len(X), -1)
    some[known] = y[known]
    spreading = LabelSpreading(kernel="knn").fit(X, some)
    rivals["label spreading"].append(np.mean(spreading.transduction_ == y))

figure, ax = plt.subplots()
ax.plot(list(curve), list(curve.values()), marker="o", label="clusters and queries")
for name, values in rivals.items():
    ax.plot(list(curve), values, marker="o", label=f"{name}, random rows")
ax.set(xscale="log", xlabel="answers", ylabel="accuracy on all rows")
ax.legend()
plt.show()

# %%
# New rows have classes and probabilities too. Where the two most probable classes are
# nearly as probable, a further answer helps most.

probabilities = model.predict_proba(X[:3] + 0.5)
print(model.predict(X[:3] + 0.5), probabilities.max(axis=1).round(2))
