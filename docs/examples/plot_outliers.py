"""
Odd rows of a table, and why
============================

Which rows are unlike the others, and which of their columns tell? The table is
scikit-learn's of 569 breast tumours: 30 measures of the size and shape of cell nuclei,
in units of their own. Three kinds of odd rows are hidden in it, and what was hidden is
used for the scores only.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from skdeepcluster import DeepOutlierDetector
from skdeepcluster.explain import describe_outliers

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
benign = X[y == 1].reset_index(drop=True)
rng = np.random.default_rng(0)

# %%
# Three kinds of odd rows
# -----------------------
#
# *A gross error*: one value is ten times what was measured. It is the first thing that
# a detector has to find.

gross = benign.copy()
gross.loc[123, "mean smoothness"] *= 10
is_gross = np.arange(len(gross)) == 123

# %%
# *Extreme rows* lie outside of what is usual: 20 malignant tumours among the 357 benign
# ones. Most of their values are large.

malignant = X[y == 0].sample(20, random_state=0)
extreme = pd.concat([benign, malignant], ignore_index=True)
is_extreme = np.arange(len(extreme)) >= len(benign)

# %%
# *Contradictory rows* have ordinary values that don't go together, as after a slip in
# writing: in 20 of the benign rows, one measure of size is exchanged for one that would
# be ordinary in another tumour, large where the tumour is small and small where it is
# large. The other measures of size tell that it is wrong.

sizes = ["radius", "perimeter", "area"]
sizes = [f"{which} {size}" for which in ("mean", "worst") for size in sizes]
slips = benign.copy()
cause = {}
for row in rng.choice(len(benign), 20, replace=False):
    column = cause[int(row)] = str(rng.choice(sizes))
    is_small = benign.loc[row, column] < benign[column].median()
    slips.loc[row, column] = benign[column].quantile(0.9 if is_small else 0.1)
is_slip = np.isin(np.arange(len(slips)), list(cause))

# %%
# Scores and a threshold
# ----------------------
#
# The detector takes the table as it is: where columns have different units, each
# counts in units of its own spread. A score is the logarithm of a share of rows, about:
# of those that are so far from their neighbours, lie in so sparse a place, or are made
# so badly by a network from the other rows' regularities. ``contamination="auto"`` sets
# the threshold where more rows are than the tail of the others explains. It finds the
# error, and two benign rows with a value far beyond all others; malignant tumours are
# the last of the benign ones rather than apart, and none is called an outlier.
# Where you know about how many there are, give their share as ``contamination``.

detector = DeepOutlierDetector(contamination="auto", random_state=0)
found = np.flatnonzero(detector.fit_predict(gross) == -1)
print("gross error: rows", found, "are outliers")

detector.fit(extreme)
scores = detector.score_samples(extreme)
found = detector.predict(extreme) == -1
print(
    f"extreme rows: {found.sum()} are outliers, {found[-20:].sum()} of them malignant"
)
print(f"by probability, {detector.outlier_probability(extreme).sum():.0f} rows are odd")

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
bins = np.histogram_bin_edges(-scores, 40)
for name, members in {"benign": ~is_extreme, "malignant": is_extreme}.items():
    ax.hist(-scores[members], bins, alpha=0.7, label=name)
ax.axvline(-detector.offset_, color="black", linestyle="--", label="threshold")
ax.set(xlabel="surprise in nats, odder to the right", ylabel="rows")
ax.legend()
plt.show()

# %%
# Beside an isolation forest and local outlier factors
# ----------------------------------------------------
#
# The others take scaled columns. The area under the ROC curve (AUC) is .5 for chance,
# and the average precision (AP) is the share of odd rows.


def scores_of(rows, seed):
    """Scores of the rows by each detector; lower is odder."""
    scaled = StandardScaler().fit_transform(rows)
    forest = IsolationForest(random_state=seed).fit(scaled)
    return {
        "this detector": DeepOutlierDetector(random_state=seed)
        .fit(rows)
        .score_samples(rows),
        "isolation forest": forest.score_samples(scaled),
        "local outlier factor": LocalOutlierFactor()
        .fit(scaled)
        .negative_outlier_factor_,
    }


lines = []
for kind, rows, odd in (
    ("gross", gross, is_gross),
    ("extreme", extreme, is_extreme),
    ("contradictory", slips, is_slip),
):
    for seed in range(3):
        for name, values in scores_of(rows, seed).items():
            auc = roc_auc_score(odd, -values)
            lines.append((kind, name, auc, average_precision_score(odd, -values)))
results = pd.DataFrame(lines, columns=["rows", "detector", "AUC", "AP"])
means = results.groupby(["detector", "rows"], sort=False).mean().unstack()
print(means.round(2).to_string())

# %%

ax = means["AUC"].plot.barh(figsize=(7, 3.5), xlim=(0.4, 1), ylabel="")
ax.set_xlabel("mean AUC of three seeds")
ax.figure.tight_layout()
plt.show()

# %%
# A forest cuts one column at a time, so that many rows are alone as soon as one with a
# gross error, and a slip, whose values are ordinary, later. Neighbours and the network
# know what the other columns make probable.

# %%
# Why
# ---
#
# ``describe_outliers`` lists the oddest rows, what they have in their oddest column,
# and what is expected there: the median of the ten rows that are nearest in all others.

detector = DeepOutlierDetector(random_state=0).fit(slips)
reasons = describe_outliers(detector, slips, n_outliers=20, n_features=1)
reasons["slip"] = [cause.get(row, "") for row in reasons.index]
columns = ["probability", "told_by", "feature", "value", "expected", "slip"]
print(reasons[columns].round(2).to_string())

# %%
# Each slip is a cross in the picture of the oddness of columns, which is darkest where
# a column contradicts the others.

rows = list(cause)
oddness = detector.explain(slips.iloc[rows])
shares = oddness / oddness.sum(axis=1, keepdims=True)
first = np.argsort(-shares, axis=1)[:, :3]
columns = [slips.columns.get_loc(cause[row]) for row in rows]
right = sum(column in best for column, best in zip(columns, first, strict=True))
print(f"the slip is among the first three columns of {right} of {len(rows)} rows")

figure, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
ax.imshow(shares, cmap="Blues", vmin=0, aspect="auto")
ax.plot(columns, range(len(rows)), "x", color="red", ms=7, mew=2, label="the slip")
ax.set_xticks(range(30), slips.columns, rotation=90, fontsize=8)
ax.set(yticks=[], ylabel="rows with a slip")
ax.legend(loc="lower right")
plt.show()

# %%
# Further rows
# ------------
#
# The fitted detector scores one row as well as many: here a benign row as it is, and
# the same row with one value made three times as large.

new = benign.iloc[[0, 0]].copy()
new.iloc[1, new.columns.get_loc("worst area")] *= 3
print(detector.score_samples(new).round(2), detector.predict(new))
