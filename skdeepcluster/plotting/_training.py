"""Training, epoch by epoch."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdeepcluster._docs import documented
from skdeepcluster._fitted import last_step
from skdeepcluster.plotting._common import Display, new_axes, panels

# Phases beside each other.
MOST_COLUMNS = 3


@documented
class TrainingHistoryDisplay(Display):
    """Loss of every phase of a training, and how labels settled.

    Make it with `from_estimator`.

    Parameters
    ----------
    history : dict of list of dict
        Phases by name, each with one dictionary an epoch, as in ``history_``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes whose place is drawn on, a panel a phase.
    {figure_}
    """

    def __init__(self, history: dict[str, list[dict[str, Any]]]) -> None:
        self.history = history

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None
    ) -> "TrainingHistoryDisplay":
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``history_``, or a pipeline that ends in one.
        {ax_and_display}
        """
        final = last_step(estimator)
        check_is_fitted(final)
        if not hasattr(final, "history_"):
            raise TypeError(f"{type(final).__name__} has no history_ of a training.")
        return cls(final.history_).plot(ax=ax)

    def _draw(self, ax: Any) -> Any:
        phases = {name: epochs for name, epochs in self.history.items() if epochs}
        if not phases:
            raise ValueError("The history holds no epoch: nothing was trained.")
        columns = min(len(phases), MOST_COLUMNS)
        lines = -(-len(phases) // columns)
        ax = new_axes(ax, width=1 + 4.5 * columns, height=3.8 * lines)
        axes = panels(ax, lines, columns).ravel()
        for panel, (name, epochs) in zip(axes, phases.items(), strict=False):
            self._plot_phase(panel, name, epochs)
        for panel in axes[len(phases) :]:
            panel.set_axis_off()
        return ax

    def _plot_phase(self, ax: Any, name: str, epochs: list[dict[str, Any]]) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        steps = np.arange(1, len(epochs) + 1)
        marker = "o" if len(epochs) < 3 else ""
        for key, label in (("train_loss", "training"), ("valid_loss", "validation")):
            if key in epochs[0]:
                losses = [epoch.get(key, np.nan) for epoch in epochs]
                style = "-" if key == "train_loss" else "--"
                ax.plot(steps, losses, style, marker=marker, color="C0", label=label)
        ax.set(xlabel="epoch", title=name, xlim=(0.5, len(epochs) + 0.5))
        ax.set_ylabel("loss", color="C0")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if "valid_loss" in epochs[0]:
            ax.legend(frameon=False)
        changes = [epoch.get("label_change") for epoch in epochs]
        if any(change is not None for change in changes):
            other = ax.twinx()
            values = [np.nan if change is None else change for change in changes]
            other.plot(steps, values, marker=".", color="C1")
            other.set_ylabel("labels changed", color="C1")
            other.set_ylim(bottom=0)
            other.yaxis.set_major_formatter(PercentFormatter(1))
