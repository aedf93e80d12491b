"""The page on which a person looks at clusters: names, reasons, examples, what next."""

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from skdeepcluster import images as image_files
from skdeepcluster._fitted import last_step
from skdeepcluster._raw import Data
from skdeepcluster.explain import describe_clusters, describe_topics

# What an agreement of starts, or a sureness of rows, of so much at least is called.
AGREEMENT = ((0.8, "sure"), (0.5, "fair"), (-np.inf, "poor"))
SURENESS = ((0.9, "sure"), (0.7, "mostly sure"), (-np.inf, "unsure"))

# Pixels a side of the images in a report, and images of a cluster.
SHOWN_SIDE, SHOWN_IMAGES = 64, 12

# Reasons, and typical rows or texts, of a cluster.
SHOWN_REASONS, SHOWN_ROWS = 5, 3

# Numbers of clusters that are offered, and effects that are told.
MOST_OFFERED, LEAST_EFFECT = 20, 0.1

# A cluster with more than this share of the rows is worth a word.
LARGE = 0.8

# Periods of time in a table, about.
MOST_PERIODS = 36

# Characters of a text that are shown.
SHOWN_TEXT = 400

ONE_CLUSTER = (
    "One cluster was found: nothing shows that the rows fall into groups, and there is "
    "nothing to be sure or unsure of. That is a result, and no proof: groups that "
    "touch everywhere look like one."
)


@dataclass
class Cluster:
    """What is told of a cluster.

    Parameters
    ----------
    label : int
        Its number; negative for rows that belong to none.
    name : str
    size : int
    share : float
    sureness : float
        Mean of its rows; NaN where it isn't known.
    reasons : list of str, default=<factory>
        What sets it apart.
    examples : list of str, default=<factory>
        Typical rows or texts.
    """

    label: int
    name: str
    size: int
    share: float
    sureness: float
    reasons: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def heading(self) -> str:
        """Return number and name."""
        if self.label < 0:
            return self.name
        return f"{self.label}: {self.name}" if self.name else f"Cluster {self.label}"

    def how_sure(self) -> str:
        """Tell the sureness in a word and a number."""
        if np.isnan(self.sureness):
            return ""
        return f"{word(self.sureness, SURENESS)} ({self.sureness:.2f})"


def word(value: float, words: Iterable[tuple[float, str]]) -> str:
    """Return the first word whose bound a value reaches."""
    return next(word for bound, word in words if value >= bound)


def clusters_part(verdict: list[str], clusters: list[Cluster], picture: str) -> str:
    """Part of a page that tells what was found, cluster by cluster."""
    parts = [f"<p>{html.escape(each)}</p>" for each in verdict]
    parts.append(picture)
    for each in clusters:
        sure = each.how_sure()
        rows = f"{each.size:,} rows, {each.share:.1%}{f'; {sure}' if sure else ''}"
        parts.append(f"<section><h3>{html.escape(each.heading())}</h3><p>{rows}</p>")
        parts.append(bullets(each.reasons))
        for example in each.examples:
            shown = example[:SHOWN_TEXT] + "…" * (len(example) > SHOWN_TEXT)
            parts.append(f"<blockquote>{html.escape(shown)}</blockquote>")
        parts.append("</section>")
    return "".join(parts)


def bullets(lines: list[str]) -> str:
    """Lines as a list."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def clusters_of(
    data: Data, estimator: Any, labels: np.ndarray, sure: np.ndarray
) -> list[Cluster]:
    """Tell of each cluster, and of the rows that are in none."""
    table: Any = None
    told = (labels >= 0).any() and find_spec("pandas") is not None
    if told and data.kind == "texts":
        table = describe_topics(estimator, data.X, n_texts=SHOWN_ROWS)
    elif told:
        table = describe_clusters(
            estimator, data.X, n_features=SHOWN_REASONS, n_rows=SHOWN_ROWS
        )
    clusters = []
    for label, size in zip(*np.unique(labels, return_counts=True), strict=True):
        mean = float(sure[labels == label].mean()) if label >= 0 else np.nan
        cluster = Cluster(int(label), "", int(size), size / len(labels), mean)
        if label < 0:
            cluster.name = "No topic" if data.kind == "texts" else "Noise"
        elif table is not None:
            row = table.loc[label]
            if data.kind == "texts":
                cluster.reasons = [f"terms: {', '.join(row['terms'])}"]
                cluster.examples = row["typical_texts"]
            else:
                cluster.reasons = [typical(data, row["typical_rows"])]
            # Single pixels and features of a network tell a person nothing.
            if data.kind != "images":
                cluster.name = row["name"]
                effects = [*row.get("features", {}).values()]
                cluster.reasons[:0] = [
                    reason
                    for reason, effect in zip(
                        row.get("reasons", []), effects, strict=True
                    )
                    if abs(effect) >= LEAST_EFFECT
                ]
        clusters.append(cluster)
    return clusters


def typical(data: Data, rows: list[int]) -> str:
    """Name the typical rows of a cluster."""
    for names in data.ids.values():
        return f"typical: {', '.join(str(names[row]) for row in rows)}"
    return f"typical rows: {', '.join(map(str, rows))}"


def verdict(
    n_clusters: int | None, estimator: Any, clusters: list[Cluster]
) -> list[str]:
    """Tell what was found and how far to trust it."""
    found = [each for each in clusters if each.label >= 0]
    name = type(last_step(estimator)).__name__
    lines = [f"{name}: {len(found)} cluster{'s' * (len(found) != 1)}"]
    if len(found) == 1:
        return [*lines, ONE_CLUSTER] if n_clusters is None else lines
    agreement = getattr(last_step(estimator), "agreement_", np.nan)
    if not np.isnan(agreement):
        lines.append(
            f"Searches from other starts find the same clusters by {agreement:.2f} "
            f"(adjusted Rand index, 1 is all the same): {word(agreement, AGREEMENT)}. "
            "The sureness of a row is the share of them that put it into this cluster; "
            "it doesn't say that the clusters mean something."
        )
    elif any(each.how_sure() for each in found):
        lines.append(
            "The sureness of a row is the probability that the estimator gives its "
            "cluster; it doesn't say that the clusters mean something."
        )
    return lines


def what_next(
    options: Any, data: Data, estimator: Any, clusters: list[Cluster]
) -> list[str]:
    """Tell what to try next, with the options of the command."""
    lines = []
    if data.kind == "images" and options.features is None:
        lines.append(
            "--features of a pretrained network tell photographs apart much "
            "better than pixels."
        )
    if data.kind == "texts" and options.features is None:
        lines.append(
            "--features of a language model tell texts apart much better than "
            "weights of words."
        )
    large = [each for each in clusters if LARGE < each.share < 1 and each.label >= 0]
    for each in large:
        lines.append(
            f"cluster {each.label} has {each.share:.0%} of the rows. To see parts"
            " of it, give more --n-clusters."
        )
    if data.kind == "table" and not options.columns and len(data.X.columns) > 2:
        lines.append(
            "columns that don't matter to you can be left out by --drop; every "
            "one counts the same."
        )
    found = sum(each.label >= 0 for each in clusters)
    layers = getattr(last_step(estimator), "layers_", [])
    others = [str(k) for k in layers if 1 < k <= MOST_OFFERED and k != found][:4]
    if others and options.n_clusters is None:
        many = ", ".join(others)
        lines.append(
            f"if parts are wanted all the same: --n-clusters {many}."
            if found == 1
            else f"other numbers that hold over a wide range: --n-clusters {many}."
        )
    return lines


def summary(clusters: list[Cluster]) -> list[str]:
    """Return the clusters as lines of a table."""
    lines = [f"{'cluster':>8} {'rows':>8} {'share':>7} {'sureness':>9}  name"]
    for each in clusters:
        told = "" if np.isnan(each.sureness) else f"{each.sureness:.2f}"
        number = each.label if each.label >= 0 else "none"
        numbers = f"{number:>8} {each.size:>8} {each.share:>7.1%} {told:>9}"
        lines.append(f"{numbers}  {each.name}".rstrip())
    return lines


def images_of_clusters(images: list[Any], labels: np.ndarray) -> str:
    """Part of a page: a line of images for each cluster."""
    from matplotlib.figure import Figure

    from skdeepcluster.model_selection._report import to_image
    from skdeepcluster.plotting import ClusterImagesDisplay

    figure = Figure(figsize=(12, 1 + len(np.unique(labels))), layout="constrained")
    ClusterImagesDisplay.from_predictions(
        image_files.squares(images, SHOWN_SIDE),
        labels,
        n_images=SHOWN_IMAGES,
        ax=figure.subplots(),
    )
    return f"<h2>Images</h2>{to_image(figure, 'Images of each cluster')}"


def over_time(topics: Any, dates: np.ndarray) -> str:
    """Part of a page: texts of each topic in each year, month or day."""
    days = np.ptp(dates[~np.isnat(dates)]) / np.timedelta64(1, "D")
    freq = "Y" if days > MOST_PERIODS * 31 else "M" if days > MOST_PERIODS else "D"
    table = topics.topics_over_time(dates, freq=freq)
    table.index = [f"{label}: {topics.topic_names_[label]}" for label in table.index]
    return f'<h2>Over time</h2><div class="wide">{table.to_html(border=0)}</div>'
