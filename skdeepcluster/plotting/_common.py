"""What the displays share: matplotlib on demand, colours, arguments."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import last_step

NOISE_COLOR = (0.75, 0.75, 0.75)

# Angle between neighbouring hues that spreads any number of them evenly.
GOLDEN_RATIO = (math.sqrt(5) - 1) / 2


def pyplot() -> Any:
    """Return matplotlib's pyplot."""
    return import_extra("matplotlib.pyplot", "plot", "Plotting")


def new_axes(ax: Any, width: float = 6.4, height: float = 4.8) -> Any:
    """Return the given axes, or new ones on a figure of the given inches."""
    if ax is not None:
        return ax
    return pyplot().subplots(figsize=(width, height), layout="constrained")[1]


def panels(ax: Any, rows: int, columns: int) -> Any:
    """Split the place of axes into a grid of panels, an array of axes.

    They share one title and take their place from the axes' own grid, so that layouts
    leave room for what is written around them.
    """
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(
            "ax must be one that plt.subplots made: this picture splits its place into "
            "panels."
        )
    ax.set_axis_off()
    return spec.subgridspec(rows, columns).subplots(squeeze=False)


def cluster_colors(labels: np.ndarray) -> dict[Any, Any]:
    """Colour of each label, noise (-1) being grey.

    The first ten are matplotlib's own; more of them cycle through hues in three
    lightnesses, so that twenty can be told apart.
    """
    found = [label for label in np.unique(labels) if label != -1]
    if len(found) <= 10:
        colors = pyplot().colormaps["tab10"](np.arange(len(found)))[:, :3]
    else:
        colors_module = import_extra("matplotlib.colors", "plot", "Plotting")
        steps = np.arange(len(found))
        hue = steps * GOLDEN_RATIO % 1
        value = np.array([0.95, 0.7, 0.45])[steps % 3]
        saturation = np.array([0.9, 0.6, 1.0])[steps // 3 % 3]
        colors = colors_module.hsv_to_rgb(np.column_stack([hue, saturation, value]))
    by_label = dict(zip(found, colors, strict=True))
    return {-1: NOISE_COLOR, **by_label} if -1 in labels else by_label


def bar_panels(
    ax: Any,
    bars: dict[Any, list[tuple[str, float]]],
    title: str,
    style: Callable[[Any], None],
) -> Any:
    """Draw named bars, a panel a cluster, and return the axes whose place they take.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw. None makes a new figure.
    bars : dict of label to list of (str, float)
        Names and lengths of the bars of each cluster, from the top.
    title : str
        Title of the figure.
    style : callable
        Called with each panel.
    """
    columns = min(4, len(bars))
    lines = -(-len(bars) // columns)
    longest = max([1, *(len(each) for each in bars.values())])
    letters = max([0, *(len(name) for each in bars.values() for name, _ in each)])
    width = max(3, 1.6 + 0.075 * min(letters, 60))
    ax = new_axes(ax, width * columns, 0.6 + lines * (0.7 + 0.2 * longest))
    colors = cluster_colors(np.array(list(bars)))
    grid = panels(ax, lines, columns).ravel()
    for panel in grid[len(bars) :]:
        panel.set_axis_off()
    ax.figure.suptitle(title)
    for panel, (label, each) in zip(grid, bars.items(), strict=False):
        places = np.arange(len(each))
        panel.barh(places, [length for _, length in each], color=colors[label])
        panel.set_yticks(places, [name for name, _ in each], fontsize="small")
        panel.set_ylim(longest - 0.5, -0.5)
        panel.set_title(f"cluster {label_name(label)}", fontsize="medium")
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        style(panel)
    return ax


def label_name(label: Any) -> str:
    """Name of a cluster in a picture."""
    return "noise" if label == -1 else str(label)


def estimator_name(estimator: Any) -> str:
    """Name of an estimator in a title."""
    return type(last_step(estimator)).__name__
