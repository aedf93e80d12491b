"""What the displays share: matplotlib on demand, colours, arguments."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Self

import numpy as np

from skdeepcluster._docs import documented
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import last_step

NOISE_COLOR = (0.75, 0.75, 0.75)

# Inches of a figure's side, at most.
MOST_INCHES = 24.0

# Letters of a name, of longer ones from both ends: they often differ in the last.
MOST_LETTERS = 24

# Inches that a letter of a small name is wide, and a line of them high, about.
LETTER_WIDTH, LINE_HEIGHT = 0.085, 0.15


@documented
class Display:
    """Draws itself; a subclass says how in ``_draw``.

    Attributes
    ----------
    {ax_}
    {figure_}
    """

    ax_: Any
    figure_: Any

    def plot(self, ax: Any = None) -> Self:
        """Draw.

        Parameters
        ----------
        {ax_and_display}
        """
        self.ax_ = self._draw(ax)
        self.figure_ = self.ax_.figure
        return self

    def _draw(self, ax: Any) -> Any:
        """Draw on the given axes, or on new ones, and return these."""
        raise NotImplementedError


def pyplot() -> Any:
    """Return matplotlib's pyplot."""
    return import_extra("matplotlib.pyplot", "plot", "Plotting")


def new_axes(ax: Any, width: float = 6.4, height: float = 4.8) -> Any:
    """Return the given axes, or new ones on a figure of the given inches."""
    if ax is not None:
        return ax
    size = (min(width, MOST_INCHES), min(height, MOST_INCHES))
    return pyplot().subplots(figsize=size, layout="constrained")[1]


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

    The first nine are matplotlib's own without its grey. Each further one is as unlike
    all before it as can be, so that thirty can be told apart.
    """
    found = [label for label in np.unique(labels) if label != -1]
    by_label = dict(zip(found, distinct_colors(len(found)), strict=True))
    return {-1: NOISE_COLOR, **by_label} if -1 in labels else by_label


# Text in the middle of a panel.
MIDDLE: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": "small",
    "color": "dimgrey",
}


def bar_panels(
    ax: Any,
    bars: dict[Any, list[tuple[str, float]]],
    title: str,
    nothing: str,
    style: Callable[[Any], None],
    names: Mapping[Any, str] | None,
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
    nothing : str
        What a panel without bars says.
    style : callable
        Called with each panel.
    names : dict of label to str or None
        Names of clusters.
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
        ticks = [plain_text(name) for name, _ in each]
        panel.set_yticks(places, ticks, fontsize="small")
        if not each:
            panel.text(0.5, 0.5, nothing, transform=panel.transAxes, **MIDDLE)
        panel.set_ylim(longest - 0.5, -0.5)
        title = f"cluster {label_name(label, names)}"
        # From the right over the place of the names: panels are narrow.
        panel.set_title(title, fontsize="medium", loc="right")
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        style(panel)
    return ax


@lru_cache
def distinct_colors(n: int) -> np.ndarray:
    """Return colours that the eye tells apart, an array of shape (n, 3)."""
    tab10 = pyplot().colormaps["tab10"](np.arange(10))[:, :3]
    colors = list(np.delete(tab10, 7, axis=0))
    steps = np.linspace(0, 1, 14)
    candidates = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    places = perceived(candidates)
    # Paler ones are lost on white, and darker ones look black.
    visible = (places[:, 0] > 20) & (places[:, 0] < 85)
    candidates, places = candidates[visible], places[visible]
    taken = perceived(np.array([*colors, NOISE_COLOR, (1, 1, 1), (0, 0, 0)]))
    nearest = np.linalg.norm(places[:, None] - taken, axis=2).min(1)
    for _ in range(n - len(colors)):
        best = nearest.argmax()
        colors.append(candidates[best])
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return np.array(colors[:n]).reshape(n, 3)


def perceived(rgb: np.ndarray) -> np.ndarray:
    """CIELAB coordinates of sRGB colours: distances are differences to the eye."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.4124, 0.3576, 0.1805],
            [0.2126, 0.7152, 0.0722],
            [0.0193, 0.1192, 0.9505],
        ]
    )
    # Relative to white, the sum of each row.
    x, y, z = (linear @ (to_xyz / to_xyz.sum(1, keepdims=True)).T).T
    f_x, f_y, f_z = (
        np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
        for t in (x, y, z)
    )
    return np.stack([116 * f_y - 16, 500 * (f_x - f_y), 200 * (f_y - f_z)], axis=1)


def label_name(label: Any, names: Mapping[Any, str] | None = None) -> str:
    """Name of a cluster in a picture: short, and no formula."""
    return plain_text(full_name(label, names))


def full_name(label: Any, names: Mapping[Any, str] | None = None) -> str:
    """Label of a cluster, with the name that it has among some."""
    names = {} if names is None else names
    if not isinstance(names, Mapping):
        raise TypeError(
            f"cluster_names={names!r} must be a dictionary from labels to names."
        )
    if label == -1:
        return "noise"
    return f"{label}: {names[label]}" if names.get(label) else str(label)


def plain_text(text: Any) -> str:
    """Text in which a dollar is one: a pair of them would be a formula."""
    text = " ".join(str(text).split())
    if len(text) > MOST_LETTERS:
        ends = MOST_LETTERS // 3
        text = f"{text[: MOST_LETTERS - 1 - ends].rstrip()}…{text[-ends:].lstrip()}"
    return text.replace("$", r"\$")


def name_ticks(axis: Any, places: Any, names: Any) -> None:
    """Name places on an axis: turned, smaller or every second one where need be.

    Parameters
    ----------
    axis : matplotlib XAxis or YAxis
        One whose limits are set already.
    places : sequence of float
        Where the names stand.
    names : sequence of str
        The names.
    """
    places, names = np.asarray(places, dtype=float), list(names)
    low, high = axis.get_view_interval()
    flat = axis.axis_name == "x"
    figure_side = axis.axes.figure.get_size_inches()[0 if flat else 1]
    box = axis.axes.get_position()
    inches = figure_side * (box.width if flat else box.height)
    # Between the nearest two of them.
    apart = np.diff(np.sort(places)).min(initial=high - low) / (high - low) * inches
    longest = max(map(len, names), default=1)
    turned = flat and longest * LETTER_WIDTH > apart
    step = 1 if flat and not turned else int(np.ceil(0.8 * LINE_HEIGHT / apart))
    size = "small" if apart > LINE_HEIGHT else "x-small"
    kept = np.argsort(places)[::step]
    axis.set_ticks(places[kept], [names[i] for i in kept])
    axis.set_tick_params(labelsize=size, rotation=90 if turned else 0)


def name_width(names: Any) -> float:
    """Inches that the longest of some names needs."""
    return LETTER_WIDTH * max(map(len, names), default=0)


def estimator_name(estimator: Any) -> str:
    """Name of an estimator in a title."""
    return type(last_step(estimator)).__name__
