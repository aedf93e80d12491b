"""Table, bars and page of a comparison."""

import base64
import html
import io
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra
from skdeepcluster._labels import comparable
from skdeepcluster.plotting._common import panels, plain_text

PANELS = {
    "modularity": "modularity",
    "pooled_silhouette": "pooled silhouette",
    "silhouette": "silhouette",
    "stability": "stability",
    "accuracy": "accuracy",
    "nmi": "NMI",
    "ari": "ARI",
    "fit_seconds": "fit, seconds",
}

STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 90rem;
  padding: 0 1rem; color: #222; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child { text-align: left; }
tr.best { background: #eaf4ea; font-weight: bold; }
img { max-width: 100%; }
dt { font-weight: bold; }
section { border-top: 1px solid #ccc; margin-top: 1.5rem; max-width: 60rem; }
blockquote { margin: .5rem 0; padding-left: .8rem; border-left: 3px solid #ccc;
  overflow-wrap: anywhere; }
"""

# Columns of the table in their order, but for the errors, and what they mean.
MEANINGS = {
    "n_clusters": "clusters found.",
    "noise": "share of rows that belong to no cluster.",
    "modularity": "share of neighbours that clusters keep together, beyond chance, in "
    "the reference space; higher is better.",
    "modularity_reference": "what k-means reaches with as many clusters on rows that "
    "have none. A modularity that is no higher shows nothing.",
    "silhouette": "in the reference space, between -1 and 1, noise counting 0 "
    "(pictures leave it out); higher is better.",
    "silhouette_reference": "the same for the silhouette.",
    "pooled_silhouette": "mean silhouette over the reference space and the spaces of "
    "all candidates; higher is better.",
    "calinski_harabasz": "spread between clusters over that within, in the reference "
    "space; higher is better.",
    "davies_bouldin": "likeness of each cluster and the one most like it, in the "
    "reference space; lower is better.",
    "stability": "mean adjusted Rand index between fits with other seeds and rows, "
    "1 being the same clusters each time. Stable clusters may still be wrong.",
    "accuracy": "share of rows in the right cluster under the best matching.",
    "nmi": "normalized mutual information with the classes.",
    "ari": "adjusted Rand index with the classes.",
    "fit_seconds": "for all the rows.",
    "predict_seconds": "for all the rows, where the candidate can label new ones.",
    "peak_memory_mb": "highest resident memory in the fit above that at its start.",
}


# What in a cell is no score like the others.
SIGNS = {
    "n/a": "the candidate has no such value. Without <code>predict</code> it can't "
    "label new rows; a stability needs two fits that succeed; a reference needs 50 "
    "distinct rows, and clusters that can be scored; a candidate that failed has "
    "nothing.",
    "one cluster": "or nothing but noise, or as many clusters as rows: there is "
    "nothing to score, and the candidate gets the lowest value of each score: a "
    "modularity of -0.5, a silhouette of -1, a Calinski-Harabasz of 0, a "
    "Davies-Bouldin of 1,000,000. Where the rows have no clusters, one cluster is the "
    "right answer all the same.",
    "bold": "the highest modularity. All candidates that are equal in the three "
    "decimals shown are bold: choose among them by the other columns.",
}


def plot_table(table: Any, ax: Any) -> Any:
    """Draw a panel of bars for each score that any candidate has.

    A stroke marks what the score would be without clusters.
    """
    plt = import_extra("matplotlib.pyplot", "compare", "ClustererComparison.plot")
    names = [name for name in PANELS if name in table and table[name].notna().any()]
    if not names:
        raise ValueError("Every candidate failed: see table['error'].")
    if ax is None:
        size = (2.5 + 2.2 * len(names), 1.2 + 0.35 * len(table))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    grid = panels(ax, 1, len(names))[0]
    best = best_names(table)
    colors = ["C2" if name in best else "C0" for name in table.index]
    names_of_rows = [plain_text(name) for name in table.index]
    places = np.arange(len(table))
    for i, (panel, name) in enumerate(zip(grid, names, strict=True)):
        values = table[name].to_numpy(dtype=float)
        bars = panel.barh(places, np.nan_to_num(values), color=colors)
        texts = ["failed" if np.isnan(value) else f"{value:.3g}" for value in values]
        panel.bar_label(bars, texts, padding=3, fontsize="small")
        if f"{name}_reference" in table:
            # What the score would be without clusters.
            marks = table[f"{name}_reference"].to_numpy(dtype=float)
            panel.plot(marks, places, "k|", markersize=12)
        panel.margins(x=0.3)
        panel.set_ylim(len(table) - 0.5, -0.5)
        panel.set_yticks(places, names_of_rows if i == 0 else [])
        panel.set_xticks([])
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(PANELS[name], fontsize="medium")
        panel.spines[:].set_visible(False)
    return ax.figure


def html_report(comparison: Any) -> str:
    """Page with the table, the bars and pictures of every candidate."""
    return html_page("Comparison of clusterers", comparison_parts(comparison))


def html_page(title: str, body: str) -> str:
    """Page that needs no other file and no network."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(title)}</h1>{body}</body></html>"
    )


def comparison_parts(comparison: Any) -> str:
    """Table, bars and pictures of every candidate, and how to read them."""
    purpose = "ClustererComparison.to_html"
    Figure = import_extra("matplotlib.figure", "compare", purpose).Figure
    # Imported here: scoring needs no pictures.
    from skdeepcluster.plotting import (
        ClusterSizesDisplay,
        EmbeddingDisplay,
        SilhouetteDisplay,
    )

    parts = [html_table(comparison)]
    if comparison.estimators:
        figure = Figure(
            figsize=(14, 1.2 + 0.4 * len(comparison.table)), layout="constrained"
        )
        plot_table(comparison.table, figure.subplots())
        parts += ["<h2>Scores</h2>", to_image(figure, "Scores of the candidates")]
    for name in comparison.estimators:
        labels = comparison.labels[name][comparison.rows]
        Z = comparison.spaces[name]
        figure = Figure(figsize=(16, 4.5), layout="constrained")
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1, 1])
        own = "reference space" if Z is comparison.sample else "its own space"
        EmbeddingDisplay.from_predictions(Z, labels, title=own, ax=left)
        if comparable(labels[labels != -1]):
            SilhouetteDisplay.from_predictions(
                comparison.sample,
                labels,
                metric=comparison.metric,
                title="reference space",
                ax=middle,
            )
        else:
            middle.set_axis_off()
        ClusterSizesDisplay.from_predictions(
            comparison.labels[name], title="all rows", ax=right
        )
        parts += [
            f"<h2>{html.escape(name)}</h2>",
            to_image(figure, f"Clusters: {name}"),
        ]
    meanings = "".join(
        f"<dt>{heading(name)}</dt><dd>{MEANINGS[name]}</dd>"
        for name in comparison.table
        if name in MEANINGS
    )
    meanings += "".join(
        f"<dt>{html.escape(sign)}</dt><dd>{text}</dd>" for sign, text in SIGNS.items()
    )
    return f"{''.join(parts)}<h2>How to read the table</h2><dl>{meanings}</dl>"


def html_table(comparison: Any) -> str:
    """Table of a comparison, the highest modularities in bold, and what failed."""
    errors = comparison.table["error"]
    table = comparison.table.drop(columns="error")
    kept = comparison.estimators
    best = best_names(table)
    head = "".join(f"<th>{heading(name)}</th>" for name in ["", *table])
    lines = []
    for name, row in table.iterrows():
        cells = "".join(f"<td>{to_text(value)}</td>" for value in row)
        mark = ' class="best"' if name in best else ""
        lines.append(f"<tr{mark}><th>{html.escape(name)}</th>{cells}</tr>")
    note = "".join(
        f"<p><b>{html.escape(name)}</b> failed{' in part' * (name in kept)}: "
        f"{html.escape(error)}</p>"
        for name, error in errors[errors != ""].items()
    )
    if best:
        rows = len(comparison.rows)
        known = [comparison.sample, *comparison.spaces.values()]
        spaces = len({id(Z) for Z in known})
        named = " and ".join(f"<b>{html.escape(name)}</b>" for name in best)
        tie = ", a tie to three decimals" * (len(best) > 1)
        note += (
            f"<p>Highest modularity: {named}{tie}. "
            f"{without_clusters(table.loc[comparison.best_name])}Scores are "
            f"those of {rows:,} rows in {spaces} space{'s' * (spaces > 1)}.</p>"
        )
    if comparison.evidence:
        note += f"<p>{html.escape(comparison.evidence)}</p>"
    return (
        f'<div class="wide"><table><tr>{head}</tr>{"".join(lines)}</table></div>{note}'
    )


def best_names(table: Any) -> list[str]:
    """Candidates of the highest modularity, all that the table shows alike."""
    # Of failures only, the column holds objects.
    shown = table["modularity"].astype(float).round(3)
    return list(table.index[shown == shown.max()])


def without_clusters(score: Any) -> str:
    """Sentence on what the best candidate's scores would be without clusters."""
    if np.isnan(score.get("modularity_reference", np.nan)):
        return ""
    return (
        f"Its modularity of {score['modularity']:.3f} would be "
        f"{score['modularity_reference']:.3f} without clusters, its silhouette of "
        f"{score['silhouette']:.3f} would be {score['silhouette_reference']:.3f}. "
    )


def heading(name: str) -> str:
    """Name of a column in words."""
    words = name.replace("_mb", ", MB").replace("_seconds", ", seconds")
    return words.replace("_", " ")


def to_text(value: float) -> str:
    """Cell of the table."""
    if np.isnan(value):
        return "n/a"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}"


def to_image(figure: Any, text: str) -> str:
    """Image tag that holds a figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'
