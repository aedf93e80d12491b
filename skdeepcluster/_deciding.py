"""What decides between the cluster of a row and the next one, column by column.

A decision is a function of the rows that the clusterer sees: the log odds of the two
clusters where a network tells them, and else the difference of the squared distances to
the means of the members that are nearest to the row. Its integrated gradients, from the
middle between these two means to the row, are what each column decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, gen_batches

from skdeepcluster._columns import as_frame
from skdeepcluster._described import labels_of, names_of
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import (
    first_table,
    fitted_labels,
    given_names,
    in_units,
    keeps_columns,
    last_step,
    searched,
    table_of_numbers,
)
from skdeepcluster._labels import is_noise
from skdeepcluster._rows import sample_rows
from skdeepcluster._said import Feature
from skdeepcluster._shares import Shares, gets_distances
from skdeepcluster.tables import TableEncoder

# Members of a cluster that stand for it at a row.
NEAREST = 15

# Members that these are looked for among, rows that are made dense at once, and rows
# that tell whether steps are affine.
MOST_MEMBERS, ROWS_AT_ONCE, ROWS_TO_CHECK = 10_000, 1024, 256


@dataclass(eq=False)
class Told:
    """A column of the user's, and its values.

    Parameters
    ----------
    feature : Feature
        Of numbers and dates.
    kind : {"number", "date", "category", "text"}
    values : callable
        Returns those of all the rows.
    """

    feature: Feature
    kind: str
    values: Callable[[], np.ndarray]

    def typical(self, rows: np.ndarray) -> Any:
        """Return the median of numbers, or else the value that is there most often."""
        values = self.values()[rows]
        if self.kind in ("number", "date"):
            known = values[~np.isnan(values)]
            return float(np.median(known)) if len(known) else np.nan
        words = ["missing" if it is None else it for it in values]
        found, counts = np.unique(words, return_counts=True)
        return str(found[counts.argmax()])

    def of_row(self, row: int) -> Any:
        """Return what a row has there."""
        value = self.values()[row]
        if self.kind in ("number", "date"):
            return float(value)
        return "missing" if value is None else str(value)

    def in_words(self, value: Any, here: Any, there: Any, other: Any) -> str:
        """Tell the value of a row, what its cluster has, and what the other one has."""
        if self.kind == "text":
            return f"{self.feature.name}: its words, between here and cluster {other}"
        middle = "mostly"
        if self.kind != "category":
            middle = "median"
            value, here, there = map(self.feature.in_words, (value, here, there))
        return (
            f"{self.feature.name}: {value}, {middle} {here} here, {there} in cluster "
            f"{other}"
        )


@dataclass(eq=False)
class Table:
    """Rows as columns that can be named, and what the clusterer sees of them.

    Parameters
    ----------
    rows : {ndarray, csr_array} of shape (n_samples, n_columns)
    space : {ndarray, csr_array} of shape (n_samples, n_dims)
        Rows as the clusterer sees them.
    slopes : {ndarray, csr_array} of shape (n_columns, n_dims) or None
        What a column adds to the dimensions of the space; None where these are the
        columns.
    told : list of Told of length n_told
        The user's columns.
    sources : ndarray of shape (n_columns,) or None
        Place of the user's column that each is made of; None where each is one.
    """

    rows: Any
    space: Any
    slopes: Any
    told: list[Told]
    sources: np.ndarray | None

    @classmethod
    def of(cls, whole: Any, X: Any, feature_names: Any) -> "Table":
        """Find the columns that decisions are told in.

        They are those of the table that a `TableEncoder` gets, or of the first table of
        finite numbers, if all further steps are affine, or else those that the
        clusterer sees.
        """
        steps = [*whole[:-1]] if isinstance(whole, Pipeline) else []
        encoder = steps[0] if steps and isinstance(steps[0], TableEncoder) else None
        if encoder is None:
            given, rows, step = first_table(whole, X)
        else:
            given, step = encoder.transform(X), 1
            rows = table_of_numbers(given)
        space, slopes = rows, None
        if step < len(steps):
            further = whole[step:-1]
            seen = further.transform(given)
            space = table_of_numbers(seen)
            slopes = slopes_of(further, given, rows, space)
            if slopes is None:
                given, rows, step, encoder = seen, space, len(steps), None
        if encoder is not None:
            told, sources = of_encoder(encoder, as_frame(X))
            return cls(rows, space, slopes, told, sources)
        names = names_of(given, rows.shape[1], feature_names, whole, step)
        before = steps[:step]
        units = in_units(before, rows) if all(map(keeps_columns, before)) else rows
        return cls(rows, space, slopes, of_columns(names, units), None)


def of_encoder(encoder: TableEncoder, frame: Any) -> tuple[list[Told], np.ndarray]:
    """Return the columns of an encoded table, and which each encoded one is of."""
    told = []
    for it in encoder._encoded:
        column = it.column
        feature = Feature(column.name, str(column.name), column.kind, column.unit)
        told.append(Told(feature, column.kind, reading(column, frame)))
    names = [*encoder.columns_]
    return told, np.array([names.index(it) for it in encoder.sources_])


def reading(column: Any, frame: Any) -> Callable[[], np.ndarray]:
    """Return what reads a column, once, when it is asked to."""

    @lru_cache(1)
    def read() -> np.ndarray:
        values = column.read(frame[column.name])
        if column.kind != "date":
            return values
        seconds = values.astype("datetime64[s]").astype(np.float64)
        return np.where(np.isnat(values), np.nan, seconds)

    return read


def of_columns(names: np.ndarray, rows: Any) -> list[Told]:
    """Columns of numbers."""

    def taking(place: int) -> Callable[[], np.ndarray]:
        def take() -> np.ndarray:
            column = rows[:, [place]]
            return (column.toarray() if sp.issparse(column) else column).ravel()

        return take

    return [
        Told(Feature(name, str(name), "number"), "number", taking(place))
        for place, name in enumerate(names)
    ]


def slopes_of(steps: Any, given: Any, rows: Any, space: Any) -> Any:
    """Matrix of steps that are affine, or None of others."""
    n_columns = rows.shape[1]
    if sp.issparse(rows):
        units = sp.csr_array(sp.eye_array(n_columns + 1, n_columns))
    else:
        units = np.eye(n_columns + 1, n_columns)
    if hasattr(given, "columns"):
        pandas = import_extra("pandas", "compare", "explain_rows")
        units = pandas.DataFrame(units, columns=given.columns)
    try:
        with np.errstate(all="ignore"):
            made = check_array(steps.transform(units), accept_sparse="csr")
    except (TypeError, ValueError):
        return None
    shift = dense(made[[-1]])
    slopes = dense(made) - shift if shift.any() or not sp.issparse(made) else made
    slopes = slopes[:-1]
    some = sample_rows(rows.shape[0], ROWS_TO_CHECK, 0)
    expected, found = dense(rows[some] @ slopes) + shift, dense(space[some])
    tolerance = 1e-4 * np.abs(found).max()
    return slopes if np.allclose(expected, found, 1e-4, tolerance) else None


def dense(rows: Any) -> np.ndarray:
    """Rows as an array of double precision."""
    rows = rows.toarray() if sp.issparse(rows) else rows
    return np.asarray(rows, dtype=np.float64)


@dataclass(eq=False)
class Decisions:
    """The clusters that rows are between, and what decides.

    Parameters
    ----------
    final : clusterer
    table : Table
    shares : Shares
    labels : ndarray of shape (n_samples,)
        Cluster of each row; negative numbers are noise.
    own, other : ndarray of shape (n_samples,)
        Place of the row's cluster, and of the runner-up, in ``shares.clusters``.
    """

    final: Any
    table: Table
    shares: Shares
    labels: np.ndarray
    own: np.ndarray
    other: np.ndarray
    _known: dict[tuple[int, int], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, estimator: Any, X: Any, feature_names: Any = None) -> "Decisions":
        """Ask a fitted clusterer about rows."""
        whole = searched(estimator)
        final = last_step(whole)
        if gets_distances(final):
            raise TypeError(
                f"{type(final).__name__} gets distances, which have no columns that "
                "could decide: fit one to rows."
            )
        table = Table.of(whole, X, feature_names)
        labels = labels_of(fitted_labels(estimator, X), X)
        shares = Shares.of(whole, X, labels)
        if len(shares.clusters) < 2:
            raise ValueError(
                "There is one cluster or none: nothing decides between it and another."
            )
        own = shares.places(labels)
        return cls(final, table, shares, labels, own, shares.runners_up(own))

    def margins(self) -> np.ndarray:
        """Differences between the shares of both clusters; none of noise."""
        first, rows = self.shares.all[0], np.arange(len(self.labels))
        margins = first[rows, self.own] - first[rows, self.other]
        return np.where(is_noise(self.labels), np.nan, margins)

    def attributions(self, rows: np.ndarray) -> np.ndarray:
        """Return what each of the user's columns decides in rows; nothing in noise.

        Returns
        -------
        ndarray of shape (n_rows, n_told)
        """
        found = np.zeros((len(rows), len(self.table.told)))
        columns = np.arange(found.shape[1])
        known = np.flatnonzero(~is_noise(self.labels[rows]))
        for part in gen_batches(len(known), ROWS_AT_ONCE):
            decided = self._decided(rows[known[part]])
            if self.table.sources is not None:
                decided = decided @ (self.table.sources[:, None] == columns)
            found[known[part]] = decided
        return found

    def told(self, row: int, effects: np.ndarray, n_features: int) -> dict[str, Any]:
        """Tell what decides most in a row, and what clusters have there."""
        best = np.argsort(-np.abs(effects), kind="stable")[:n_features]
        columns = [self.table.told[it] for it in best if effects[it] != 0]
        names = [it.feature.name for it in columns]
        values = [it.of_row(row) for it in columns]
        here, there = (
            [self._typical(it, place[row]) for it in best[: len(columns)]]
            for place in (self.own, self.other)
        )
        other = self.shares.clusters[self.other[row]]
        if name := given_names(self.final).get(other):
            other = f"{other} ({name})"
        told = zip(columns, values, here, there, strict=True)
        return {
            "features": dict(zip(names, map(float, effects[best]), strict=False)),
            "values": dict(zip(names, values, strict=True)),
            "instead": dict(zip(names, there, strict=True)),
            "reasons": [it.in_words(*all_of, other) for it, *all_of in told],
        }

    def _typical(self, column: int, cluster: int) -> Any:
        """Return what a cluster has in a column, found once for all rows."""
        key = column, cluster
        if key not in self._known:
            rows = np.flatnonzero((self.own == cluster) & ~is_noise(self.labels))
            self._known[key] = self.table.told[column].typical(rows)
        return self._known[key]

    def _decided(self, rows: np.ndarray) -> np.ndarray:
        """Return what each column of the table decides."""
        table = self.table
        own, other = (self._near(rows, it[rows]) for it in (self.own, self.other))
        middle = (own + other) / 2
        if hasattr(self.final, "_mean_gradients") and self.final._plan is None:
            pairs = self.shares.clusters[np.stack([self.own, self.other], 1)[rows]]
            starts = dense(middle @ table.space)
            slopes = self.final._mean_gradients(dense(table.space[rows]), starts, pairs)
        else:
            slopes = 2 * dense((own - other) @ table.space)
        if table.slopes is not None:
            slopes = dense(slopes @ table.slopes.T)
        return (dense(table.rows[rows]) - dense(middle @ table.rows)) * slopes

    def _near(self, rows: np.ndarray, wanted: np.ndarray) -> sp.csr_array:
        """Weights of the members of a cluster that are nearest to each row.

        Returns
        -------
        csr_array of shape (n_rows, n_samples)
            Weights of a row add up to one.
        """
        space, weights = self.table.space, []
        places = np.where(is_noise(self.labels), -1, self.own)
        for cluster in np.unique(wanted):
            members = np.flatnonzero(places == cluster)
            if not len(members):
                raise ValueError(
                    f"X has no row of cluster {self.shares.clusters[cluster]}, which is"
                    " the next one to some: give rows of all clusters as X, and the "
                    "positions of those to explain as rows."
                )
            members = members[sample_rows(len(members), MOST_MEMBERS, 0)]
            asking = np.flatnonzero(wanted == cluster)
            count = min(NEAREST, len(members))
            search = NearestNeighbors(n_neighbors=count).fit(space[members])
            near = search.kneighbors(space[rows[asking]], return_distance=False)
            weights.append((np.repeat(asking, count), members[near].ravel()))
        row, column = map(np.concatenate, zip(*weights, strict=True))
        each = 1 / np.bincount(row)[row]
        return sp.csr_array((each, (row, column)), shape=(len(rows), space.shape[0]))


def checked_rows(rows: Any, n_samples: int) -> np.ndarray:
    """Positions of rows, all of them by default."""
    if rows is None:
        return np.arange(n_samples)
    found = np.asarray(rows)
    fit = found.ndim == 1 and found.dtype.kind in "iu" and len(found)
    if not fit or found.min() < 0 or found.max() >= n_samples:
        raise ValueError(
            f"rows={rows!r} must hold positions of rows in X, from 0 to "
            f"{n_samples - 1}."
        )
    return found
