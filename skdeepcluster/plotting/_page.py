"""A page with the points of a picture, each of which says what it is."""

import html
import textwrap
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra
from skdeepcluster.plotting._common import cluster_colors, full_name

# Letters in a line beside a point, and lines of each column: longer texts hide the
# picture.
LINE, MOST_LINES = 60, 6


def points_page(display: Any, about: Any) -> str:
    """Self-contained HTML of `points_figure`."""
    return points_figure(display, about).to_html(
        include_plotlyjs=True,
        config={"scrollZoom": True, "displaylogo": False, "responsive": True},
        default_height="95vh",
    )


def points_figure(display: Any, about: Any) -> Any:
    """Draw an `EmbeddingDisplay` by plotly, a trace a cluster.

    Parameters
    ----------
    display : EmbeddingDisplay
    about : Series, DataFrame, sequence or None
        What to say of each row that was given to the display.
    """
    graphs = import_extra("plotly.graph_objects", "interactive", "to_html")
    words = said(about, display.rows, display.n_rows)
    figure = graphs.Figure()
    for label, color in cluster_colors(display.labels).items():
        own = np.flatnonzero(display.labels == label)
        name = html.escape(full_name(label, display.cluster_names))
        texts = [
            "<br>".join([f"<b>{name}</b> · row {display.rows[point]}", *words[point]])
            for point in own
        ]
        figure.add_scattergl(
            x=display.points[own, 0],
            y=display.points[own, 1],
            mode="markers",
            name=f"{name} ({len(own)})",
            text=texts,
            hoverinfo="text",
            marker={
                "color": f"rgb{tuple(round(255 * float(part)) for part in color)}",
                "size": float(np.clip(2_000 / np.sqrt(len(display.labels)), 3, 8)),
                "opacity": 0.8,
            },
        )
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False}
    figure.update_layout(
        title=html.escape(display.title),
        xaxis={"title": display.axis_names[0], **bare},
        yaxis={"title": display.axis_names[1], **bare},
        legend={"title": "cluster (rows)", "itemsizing": "constant"},
        template="plotly_white",
        dragmode="pan",
        hoverlabel={"align": "left"},
    )
    return figure


def said(about: Any, rows: np.ndarray, n_rows: int) -> list[list[str]]:
    """Lines beside each of some rows: a text, or the names and values of columns."""
    if about is None:
        return [[] for _ in rows]
    if len(about) != n_rows:
        raise ValueError(
            f"about has {len(about)} entries for {n_rows} rows; give one for every row "
            "that the display was made from."
        )
    if not hasattr(about, "columns"):
        texts = np.asarray(about, dtype=object)
        return [in_lines(str(texts[row])) for row in rows]
    columns = [(str(name), about[name]) for name in about.columns]
    values = [(name, np.asarray(column, dtype=object)) for name, column in columns]
    return [
        [line for name, own in values for line in in_lines(f"{name}: {own[row]}")]
        for row in rows
    ]


def in_lines(text: str) -> list[str]:
    """Lines of a text, without what a browser would take for a command."""
    lines = textwrap.wrap(text, LINE, max_lines=MOST_LINES, placeholder=" …")
    return [html.escape(line) for line in lines]
