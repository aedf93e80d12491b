"""Tables as people have them, made rows of numbers in which every column counts alike.

`TableEncoder` is a transformer for the front of any pipeline:
``pip install 'skdeepcluster[tables]'``.
"""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeepcluster._columns import KINDS, Column, as_frame, looked_at
from skdeepcluster._extras import import_extra
from skdeepcluster._rows import plain_settings, refuse_holders, refuse_images
from skdeepcluster._warnings import warn

__all__ = ["TableEncoder"]

# Columns of less variance have less weight: of two values, one is rarer than 1 in 20,
# and would put its few rows too far from all others to be of their groups.
RARE = 0.095

# What numbers come near to at most, in robust standard deviations.
FAR = 3.0

DAY, WEEK, YEAR = (np.timedelta64(days, "D") for days in (1, 7, 366))


class TableEncoder(TransformerMixin, BaseEstimator):
    """Make rows of numbers of a table in which every column has the same weight.

    A table is taken as it comes: numbers, words, dates, texts and gaps. Each of its
    columns becomes a block of numbers, and all blocks have the same total variance, so
    that a category of thirty values or a text of thirty components counts no more than
    a single number. Only columns that hardly vary, as a mark of fewer than 1 in 20
    rows, have less, lest these rows are far from all others.

    ========  ==========================================================================
    number    the distance from the median in robust standard deviations [1]_, drawn in
              beyond ``max_absolute_value``, and whether there is a gap. Strings are
              numbers, such as ``1,200``, ``$5``, ``3 kg`` and ``1.5M``, if they have
              one unit; where a few of many are none, a warning tells of them, and they
              are gaps
    category  a one for the value that a row has, a gap being a value; the rarest of
              more than ``max_categories`` share one
    date      the time as a clock showed it, and its place on the circles in which it
              varies: the day, the week, and the year if there is more than one
    text      components of character n-grams [2]_; strings are texts where most of
              them differ and they have four words or more on average
    ========  ==========================================================================

    Columns are left out, with the reason in ``left_out_``, that are empty in more than
    19 of 20 rows, have one value, number the rows, as ``id`` or 0, 1, 2, or name them:
    strings that are no texts and differ in more than half of the rows.

    Parameters
    ----------
    kinds : dict of column to str, default=None
        Kinds of columns, "number", "category", "date" or "text", where another is
        wanted than is found: ``{"zip": "category"}``. Such columns are never left out
        for their names.
    weights : dict of column to float, default=None
        Total variance of columns, where it isn't 1. Those of weight 0 are left out.
    max_absolute_value : float or None, default=3.0
        What numbers and dates come near to at most, in robust standard deviations:
        heavy tails and gross errors move a row by no more. Give None to look for
        outliers: then they stay as far as they are, and the variance of the others is
        about one.
    max_categories : int, default=30
        Columns of a category, at most.
    text_encoder : transformer, callable or None, default=None
        What makes rows of numbers of a column of strings, such as
        ``skrub.TextEncoder()`` or the ``encode`` of a language model. None is
        ``skrub.StringEncoder()``.
    random_state : int, RandomState instance or None, default=None
        Seed of the components of texts.

    Attributes
    ----------
    columns_ : dict of column to str
        Kinds of the columns that are encoded.
    left_out_ : dict of column to str
        Why the others are not.
    sources_ : ndarray of shape (n_features_out,)
        For each column that is made, the column of the table that it is made of.
    feature_names_in_ : ndarray of shape (n_columns,)
        Columns of the table, where it has names that are strings.
    n_features_in_ : int
        Columns of the table.

    See Also
    --------
    skdeepcluster.explain.describe_clusters : Clusters in the table's own columns.
    skrub.TableVectorizer : Columns for supervised learning, where weights are learned.

    References
    ----------
    .. [1] Holzmüller, D., Grinsztajn, L. and Steinwart, I. (2024). Better by default:
       strong pre-tuned MLPs and boosted trees on tabular data. NeurIPS 37.
    .. [2] Cerda, P. and Varoquaux, G. (2022). Encoding high-cardinality string
       categorical variables. IEEE Transactions on Knowledge and Data Engineering 34.

    Examples
    --------
    >>> import pandas
    >>> from skdeepcluster.tables import TableEncoder
    >>> table = pandas.DataFrame(
    ...     {
    ...         "weight": ["12 kg", "15 kg", "1,200 kg", None],
    ...         "color": ["red", "blue", "red", "red"],
    ...         "id": [101, 205, 7, 33],
    ...     }
    ... )
    >>> encoder = TableEncoder().fit(table)
    >>> encoder.get_feature_names_out().tolist()
    ['weight', 'weight missing', 'color = blue', 'color = red']
    >>> encoder.left_out_
    {'id': 'it numbers the rows'}
    >>> float(encoder.transform(table)[:, 2:].var(axis=0).sum().round(6))
    1.0
    """

    def __init__(
        self,
        *,
        kinds: Mapping[Any, str] | None = None,
        weights: Mapping[Any, float] | None = None,
        max_absolute_value: float | None = FAR,
        max_categories: int = 30,
        text_encoder: Any = None,
        random_state: Any = None,
    ) -> None:
        self.kinds = kinds
        self.weights = weights
        self.max_absolute_value = max_absolute_value
        self.max_categories = max_categories
        self.text_encoder = text_encoder
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "TableEncoder":
        """Learn the kinds and the scales of the columns of a table.

        Parameters
        ----------
        X : {data frame, array-like} of shape (n_samples, n_columns)
            Table, of pandas or another library.
        y : object, default=None
            Ignored.

        Returns
        -------
        TableEncoder
            The fitted transformer.

        Raises
        ------
        ImportError
            If the extra ``tables`` is not installed.
        ValueError
            If a parameter is out of range or names a column that isn't there, a column
            isn't of the kind that is said, a number is infinite, or nothing is left to
            encode.

        Warns
        -----
        UserWarning
            If cells of a column of numbers are none, or dates may be read in two ways.
        """
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Learn from a table, and encode it.

        Parameters
        ----------
        X : {data frame, array-like} of shape (n_samples, n_columns)
            Table, of pandas or another library.
        y : object, default=None
            Ignored.
        **fit_params
            There are none.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Rows of numbers.
        """
        frame = self._frame(X, reset=True)
        kinds, weights = self._checked(frame)
        rng = check_random_state(self.random_state)
        self.left_out_: dict[Any, str] = {}
        self._encoded: list[EncodedColumn] = []
        blocks = []
        for name in frame.columns:
            column = looked_at(frame[name], name, kinds.get(name))
            weight = weights.get(name, 1.0)
            if not isinstance(column, str) and weight == 0:
                column = "its weight is 0"
            if isinstance(column, str):
                self.left_out_[name] = column
                continue
            if column.note:
                warn(f"{column.note[0].upper()}{column.note[1:]}.")
            encoded = EncodedColumn(column, self._part(column, rng), weight)
            blocks.append(encoded.fit_transform(frame[name]))
            self._encoded.append(encoded)
        if not blocks:
            reasons = "; ".join(
                f"{name}: {why}" for name, why in self.left_out_.items()
            )
            raise ValueError(
                f"The table has no column to cluster by ({reasons}). kinds= takes the "
                "kind of a column that is left out all the same."
            )
        self.columns_ = {it.column.name: it.column.kind for it in self._encoded}
        widths = [len(it.part.names) for it in self._encoded]
        self.sources_ = np.repeat(np.array([*self.columns_], dtype=object), widths)
        return np.hstack(blocks)

    def transform(self, X: Any) -> np.ndarray:
        """Encode the rows of a table that has the columns of the first one.

        Parameters
        ----------
        X : {data frame, array-like} of shape (n_samples, n_columns)
            Table. Columns that were left out may hold anything, or be missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Rows of numbers. Values of categories that were not seen are those of the
            rarest, or else of none.

        Raises
        ------
        ValueError
            If a column is missing or holds something of another kind.
        """
        check_is_fitted(self)
        frame = self._frame(X, reset=False)
        return np.hstack([it.transform(frame[it.column.name]) for it in self._encoded])

    def inverse_transform(self, X: Any) -> Any:
        """Make a table of rows of numbers, as of the centres of clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Rows as `transform` makes them.

        Returns
        -------
        pandas.DataFrame of shape (n_samples, n_encoded_columns)
            Numbers and dates in their units, the likeliest categories, and None for
            texts.
        """
        check_is_fitted(self)
        pandas = import_extra("pandas", "tables", "TableEncoder")
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != len(self.sources_):
            raise ValueError(
                f"X has the shape {X.shape}: give rows of {len(self.sources_)} numbers,"
                " as transform makes them."
            )
        columns = {}
        for it in self._encoded:
            block = X[:, self.sources_ == it.column.name]
            columns[it.column.name] = it.inverse_transform(block)
        return pandas.DataFrame(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns that are made.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Ignored: the table has names.

        Returns
        -------
        ndarray of shape (n_features_out,)
            Such as ``weight``, ``weight missing``, ``color = red``, ``date weekday
            sin`` and ``comment 3``.
        """
        check_is_fitted(self)
        names = [
            f"{it.column.name}{end}" for it in self._encoded for end in it.part.names
        ]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _frame(self, X: Any, reset: bool) -> Any:
        """Table as a frame with the columns that are needed."""
        refuse_holders(X)
        refuse_images(X)
        fewest = 2 if reset else 1
        if not hasattr(X, "columns"):
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=None,
                ensure_all_finite=False,
                ensure_min_samples=fewest,
            )
        frame = as_frame(X)
        if reset and hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True)
        if len(frame) < fewest or not frame.shape[1]:
            raise ValueError(
                f"X has {len(frame)} rows and {frame.shape[1]} columns: give {fewest} "
                "rows and a column at least."
            )
        if not reset:
            gone = [name for name in self.columns_ if name not in frame.columns]
            if gone:
                raise ValueError(
                    f"X has no column {gone[0]!r}, which was there in fit: give a table"
                    " with the same columns."
                )
        return frame

    def _checked(self, frame: Any) -> tuple[dict[Any, str], dict[Any, float]]:
        """Kinds and weights, after all parameters are checked."""
        for parameter in ("kinds", "weights"):
            if not isinstance(given := getattr(self, parameter), Mapping | None):
                raise TypeError(
                    f"{parameter}={given!r} must be a dictionary from columns, or None."
                )
        kinds, weights = dict(self.kinds or {}), dict(self.weights or {})
        for parameter, values in (("kinds", kinds), ("weights", weights)):
            for name in values:
                if name not in frame.columns:
                    raise ValueError(
                        f"{parameter} names the column {name!r}, which X hasn't: it has"
                        f" {', '.join(map(str, frame.columns))}."
                    )
        for name, kind in kinds.items():
            if kind not in KINDS:
                raise ValueError(
                    f"kinds[{name!r}]={kind!r} must be one of {', '.join(KINDS)}."
                )
        for name, weight in weights.items():
            if not isinstance(weight, Real) or not 0 <= float(weight) < np.inf:
                raise ValueError(f"weights[{name!r}]={weight!r} must be a number >= 0.")
        limit, most = self.max_absolute_value, self.max_categories
        if limit is not None and not (isinstance(limit, Real) and float(limit) > 0):
            raise ValueError(f"max_absolute_value={limit!r} must be None or above 0.")
        if not isinstance(most, Integral) or most < 2:
            raise ValueError(f"max_categories={most!r} must be an integer >= 2.")
        return kinds, weights

    def _part(self, column: Column, rng: np.random.RandomState) -> Any:
        """Make what encodes a column of a kind."""
        if column.kind == "number":
            return NumberPart(self.max_absolute_value)
        if column.kind == "category":
            return CategoryPart(self.max_categories)
        if column.kind == "date":
            return DatePart(self.max_absolute_value)
        if self.text_encoder is None:
            skrub: Any = import_extra("skrub", "tables", "Encoding texts")
            return TextPart(skrub.StringEncoder(random_state=rng.randint(2**31 - 1)))
        if hasattr(self.text_encoder, "transform"):
            return TextPart(clone(self.text_encoder))
        return TextPart(FunctionTransformer(self.text_encoder))


class EncodedColumn:
    """A column of a table, and the block of numbers that is made of it.

    Parameters
    ----------
    column : Column
        How it is read.
    part : NumberPart, CategoryPart, DatePart or TextPart
        What makes numbers of it.
    weight : float
        Total variance of the block.
    """

    def __init__(self, column: Column, part: Any, weight: float) -> None:
        self.column = column
        self.part = part
        self.weight = weight

    def fit_transform(self, values: Any) -> np.ndarray:
        """Learn the scale of the block, and return it."""
        read = self.column.read(values)
        block = self.part.fit(read).transform(read)
        far = getattr(self.part, "limit", FAR) is None
        # One gross value must not have all of a column's weight.
        usual = drawn_in(block, FAR) if far else block
        self.shift = usual.mean(0)
        total = usual.var(0).sum()
        total = max(total, RARE) if total > 0 else np.inf
        self.scale = float(np.sqrt(self.weight / total))
        return (block - self.shift) * self.scale

    def transform(self, values: Any) -> np.ndarray:
        """Block of other rows."""
        block = self.part.transform(self.column.read(values))
        return (block - self.shift) * self.scale

    def inverse_transform(self, block: np.ndarray) -> np.ndarray:
        """Values of a block."""
        return self.part.inverse_transform(block / (self.scale or 1.0) + self.shift)


class NumberPart:
    """Numbers in robust units, and whether there are gaps.

    Parameters
    ----------
    limit : float or None
        What a number comes near to at most.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit

    def fit(self, values: np.ndarray) -> "NumberPart":
        """Learn the middle and the scale."""
        known = values[~np.isnan(values)]
        low, self.middle, high = np.quantile(known, [0.25, 0.5, 0.75])
        # Quartiles of a Gaussian are so many standard deviations apart.
        self.scale = (high - low) / 1.349 or known.std() or 1.0
        self.names = ["", " missing"] if len(known) < len(values) else [""]
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scale numbers; a gap is in the middle."""
        gaps = np.isnan(values)
        scaled = np.where(gaps, 0.0, (values - self.middle) / self.scale)
        if self.limit is not None:
            scaled = drawn_in(scaled, self.limit)
        return np.column_stack([scaled, gaps][: len(self.names)])

    def inverse_transform(self, block: np.ndarray) -> np.ndarray:
        """Numbers in the unit of the column, or NaN where a gap is likelier."""
        scaled = block[:, 0]
        if self.limit is not None:
            # The limit itself would be infinitely far.
            inside = np.clip(scaled / self.limit, -0.999, 0.999)
            scaled = self.limit * inside / np.sqrt(1 - inside**2)
        gaps = block[:, 1:].any(1) & (block[:, -1] > 0.5)
        return np.where(gaps, np.nan, self.middle + self.scale * scaled)


class CategoryPart:
    """A one for the value that a row has.

    Parameters
    ----------
    max_categories : int
        Values with a column of their own or, for the rarest, in common.
    """

    def __init__(self, max_categories: int) -> None:
        self.max_categories = max_categories

    def fit(self, values: np.ndarray) -> "CategoryPart":
        """Learn the values."""
        self.encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=self.max_categories,
            sparse_output=False,
        ).fit(filled(values, "missing")[:, None])
        rare = self.encoder.infrequent_categories_[0]
        common = self.encoder.categories_[0]
        if rare is not None:
            common = [*common[~np.isin(common, rare)], "others"]
        self.names = [f" = {value}" for value in common]
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Ones and zeros."""
        with plain_settings():
            return self.encoder.transform(filled(values, "missing")[:, None])

    def inverse_transform(self, block: np.ndarray) -> np.ndarray:
        """Return the likeliest values."""
        names = np.array(
            [name.removeprefix(" = ") for name in self.names], dtype=object
        )
        found = names[block.argmax(1)]
        found[found == "missing"] = None
        return found


class DatePart:
    """Times, and their places on the circles in which they vary.

    Parameters
    ----------
    limit : float or None
        As for numbers.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit

    def fit(self, values: np.ndarray) -> "DatePart":
        """Learn the range of the times, and the circles."""
        known = values[~np.isnat(values)]
        self.first = known.min()
        self.time = NumberPart(self.limit).fit(self._seconds(values))
        days = known.astype("datetime64[D]")
        months = days.astype("datetime64[M]")
        varies = {
            "hour": (known != days).any(),
            # Of months and of years, the day of the week is an accident.
            "weekday": len(np.unique(days - months)) > 1 and len(np.unique(days)) > 2,
            "month": known.max() - self.first > YEAR and len(np.unique(months)) > 2,
        }
        self.circles = [name for name, does in varies.items() if does]
        ends = [f" {name} {end}" for name in self.circles for end in ("sin", "cos")]
        self.names = [*self.time.names, *ends]
        return self

    def _seconds(self, values: np.ndarray) -> np.ndarray:
        seconds = (values - self.first) / np.timedelta64(1, "s")
        return np.where(np.isnat(values), np.nan, seconds)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scaled times, with a sine and a cosine for each circle.

        Both have a variance of about one; a gap is in the middle.
        """
        blocks = [self.time.transform(self._seconds(values))]
        years = values.astype("datetime64[Y]")
        since = values - np.datetime64(0, "D")
        turns = {"hour": since / DAY, "weekday": since / WEEK}
        turns["month"] = (values - years) / YEAR
        for name in self.circles:
            angle = 2 * np.pi * turns[name]
            circle = np.column_stack([np.sin(angle), np.cos(angle)])
            blocks.append(np.nan_to_num(circle))
        return np.hstack(blocks)

    def inverse_transform(self, block: np.ndarray) -> np.ndarray:
        """Return times, or NaT where a gap is likelier."""
        seconds = self.time.inverse_transform(block[:, : len(self.time.names)])
        spans = np.nan_to_num(np.round(seconds * 1e6)).astype("timedelta64[us]")
        return np.where(np.isnan(seconds), np.datetime64("NaT"), self.first + spans)


class TextPart:
    """Components of texts.

    Parameters
    ----------
    encoder : transformer
        It takes a column of strings.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def fit(self, values: np.ndarray) -> "TextPart":
        """Fit the encoder."""
        with plain_settings():
            self.encoder.fit(self._column(values))
        width = self.transform(values[:1]).shape[1]
        self.names = [f" {component}" for component in range(width)]
        return self

    def _column(self, values: np.ndarray) -> Any:
        pandas = import_extra("pandas", "tables", "TableEncoder")
        return pandas.Series(filled(values, ""), name="text")

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Numbers of each text."""
        with plain_settings():
            rows = np.asarray(self.encoder.transform(self._column(values)), np.float64)
        if rows.ndim != 2 or len(rows) != len(values):
            raise ValueError(
                f"text_encoder makes an array of shape {rows.shape} of {len(values)} "
                "texts: give one that makes a row of numbers of each."
            )
        return rows

    def inverse_transform(self, block: np.ndarray) -> np.ndarray:
        """Nothing, for no text is known of numbers."""
        return np.full(len(block), None, dtype=object)


def drawn_in(scaled: np.ndarray, limit: float) -> np.ndarray:
    """Numbers that come near to a limit at most."""
    return scaled / np.hypot(1, scaled / limit)


def filled(values: np.ndarray, value: str) -> np.ndarray:
    """Strings with a value in place of None."""
    return np.array([value if it is None else it for it in values], dtype=object)
