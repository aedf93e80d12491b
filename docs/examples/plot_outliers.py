"""
Odd rows of a table, and why
============================

Which rows are unlike the others, and which of their columns tell? The table is
scikit-learn's of 569 breast tumours: 30 measures of the size and shape of cell nuclei.
Two kinds of odd rows are hidden in it, and what was hidden is used for the scores only.
Isolation forests and local outlier factors are better at the first kind, and an
autoencoder at the second. Know which kind you look for.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import Autoencoder, DeepOutlierDetector
from skdeepcluster.explain import describe_outliers

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
benign = X[y == 1].reset_index(drop=True)
rng = np.random.default_rng(0)

# %%
# Two kinds of odd rows
# ---------------------
#
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
# The columns have different units, so a ``StandardScaler`` comes first. The detector's
# network squeezes each row through a few numbers and back, and scores it by the error:
# what the network can't make from the other rows' regularities is odd. Scores are
# negative, and lower is odder. ``contamination="auto"`` sets the threshold where the
# whiskers of a box plot end.

detector = make_pipeline(
    StandardScaler(), DeepOutlierDetector(contamination="auto", random_state=0)
).fit(extreme)
scores = detector.score_samples(extreme)
threshold = detector[-1].offset_
found = detector.predict(extreme) == -1
print(f"{found.sum()} rows are below {threshold:.2f}, {found[-20:].sum()} malignant")

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
bins = np.histogram_bin_edges(np.log10(-scores), 40)
for name, members in {"benign": ~is_extreme, "malignant": is_extreme}.items():
    ax.hist(np.log10(-scores[members]), bins, alpha=0.7, label=name)
ax.axvline(np.log10(-threshold), color="black", linestyle="--", label="threshold")
ax.set(xlabel="logarithm of the error, odder to the right", ylabel="rows")
ax.legend()
plt.show()

# %%
# Beside an isolation forest and local outlier factors
# ----------------------------------------------------
#
# The second network is smaller and learns for longer. It was chosen among six on rows
# with such slips, in its favour: expect less where you can't choose like that. The area
# under the ROC curve (AUC) is .5 for chance, and the average precision (AP) is .05.

patient = Autoencoder((64,), 8, max_epochs=100, batch_size=32, lr=2e-3)


def scores_of(rows, seed):
    """Scores of the rows by each detector; lower is odder."""
    detectors = {
        "default network": DeepOutlierDetector(random_state=seed),
        "smaller, longer": DeepOutlierDetector(patient, random_state=seed),
        "isolation forest": IsolationForest(random_state=seed),
    }
    scaled = StandardScaler().fit_transform(rows)
    found = {
        name: it.fit(scaled).score_samples(scaled) for name, it in detectors.items()
    }
    factor = LocalOutlierFactor().fit(scaled)
    return {**found, "local outlier factor": factor.negative_outlier_factor_}


lines = []
for kind, rows, odd in (
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
# A forest cuts one column at a time, and an extreme row is soon alone; a slip is not,
# for each of its values is ordinary. The network knows what the other columns make
# probable. It reconstructs rows whose values are all large together, as those of
# malignant tumours are, and so misses many of them.

# %%
# Why
# ---
#
# The error by column tells what contradicts the rest. ``describe_outliers`` lists the
# oddest rows and the shares of their columns.

detector = make_pipeline(StandardScaler(), DeepOutlierDetector(patient, random_state=0))
detector.fit(slips)
reasons = describe_outliers(detector, slips, n_outliers=8, n_features=2)
for row, reason in reasons.iterrows():
    shares = [f"{name} {share:.0%}" for name, share in reason["features"].items()]
    print(f"{reason['score']:5.2f}: {', '.join(shares)}")
    print(f"       slip: {cause.get(row, 'none')}")

# %%
# Each slip is a cross in the picture of the shares, which is darkest where a column
# contradicts the others.

rows = list(cause)
errors = detector[-1].explain(detector[:-1].transform(slips.iloc[rows]))
shares = errors / errors.sum(axis=1, keepdims=True)
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
# The fitted pipeline scores one row as well as many: here a benign row as it is, and
# the same row with one value made three times as large.

new = benign.iloc[[0, 0]].copy()
new.iloc[1, new.columns.get_loc("worst area")] *= 3
print(detector.score_samples(new).round(2), detector.predict(new))
