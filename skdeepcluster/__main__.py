"""A first look at a table or at images: ``python -m skdeepcluster data.csv``."""

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skdeepcluster
from skdeepcluster import graph
from skdeepcluster import images as image_files
from skdeepcluster._extras import import_extra

# By name: torch, which takes seconds to load, is for those that are chosen.
ESTIMATORS = [
    "GraphClustering",
    *(
        name
        for name in skdeepcluster.__all__
        if name not in ("Autoencoder", "DeepOutlierDetector")
    ),
]

SUFFIXES = ".csv, .parquet, .npy or .npz"

# Text that differs in more than this share of the rows names rows and describes none.
MOST_VALUES = 0.5

# Pixels a side of the images in a report, and images of a cluster.
SHOWN_SIDE, SHOWN_IMAGES = 64, 12


@dataclass
class Data:
    """What was read.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_columns)
    told : str
        What it is, in words.
    left_out : dict of str to str, default=<factory>
        What of it was left out, with the reason.
    files : list of str or None, default=None
        Names of the files that the rows were made of.
    images : list of ndarray of shape (height, width, 3), default=<factory>
        What these hold.
    """

    X: Any
    told: str
    left_out: dict[str, str] = field(default_factory=dict)
    files: list[str] | None = None
    images: list[Any] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Cluster a file or a folder of images and tell what was found.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments of the command; None takes those of the process.

    Returns
    -------
    int
        Exit code: 0, or 1 if the file can't be clustered. Arguments that can't be
        understood exit with 2.
    """
    options = parser().parse_args(argv)
    try:
        look(options)
    except (OSError, ValueError, TypeError, ImportError) as error:
        print(f"skdeepcluster: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Make the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        prog="python -m skdeepcluster",
        description="Cluster the rows of a file or the images in a folder, print what "
        "was found and how sure it is, and write a table of labels and a report.",
    )
    command.add_argument(
        "data",
        type=Path,
        help=f"a table or an array, {SUFFIXES}, or a folder of images",
    )
    command.add_argument(
        "--features",
        help="module:name of a scikit-learn transformer or a function that makes rows "
        "of a list of images, arrays of shape (height, width, 3) of bytes (default: "
        "the pixels of images of 32 x 32)",
    )
    command.add_argument(
        "--background",
        default="white",
        help="colour that is seen where an image is transparent (default: white)",
    )
    command.add_argument("--n-clusters", type=positive, help="found if it is not given")
    command.add_argument("--estimator", choices=ESTIMATORS, default="GraphClustering")
    command.add_argument(
        "--output",
        type=Path,
        help="labels go to OUTPUT.csv, the report to OUTPUT.html (default: the name of "
        "the data and -clusters, in the current folder)",
    )
    command.add_argument("--random-state", type=int, default=0)
    command.add_argument(
        "--no-report", action="store_true", help="skip the comparison with k-means"
    )
    return command


def positive(text: str) -> int:
    """Read a whole number of 1 at least."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= 1")
    return number


def look(options: argparse.Namespace) -> None:
    """Cluster, print and write, as the options say."""
    output = options.output or Path(f"{options.data.stem}-clusters")
    labels_path, report_path = (
        output.with_name(f"{output.name}.{suffix}") for suffix in ("csv", "html")
    )
    if labels_path.resolve() == options.data.resolve():
        raise ValueError(f"{labels_path} is the data: give another --output.")
    if options.data.is_dir():
        cache = output.with_name(f"{output.name}-features.npz")
        data = rows_of_images(options, cache)
    else:
        data = read(options.data, options.features)
    for name, reason in data.left_out.items():
        print(f"Note: {name} is left out: {reason}.")
    X = data.X
    print(f"{options.data}: {data.told}")

    estimator = make(options)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = np.asarray(estimator.fit_predict(X))
    seconds = time.perf_counter() - start
    for message in dict.fromkeys(str(each.message) for each in caught):
        print(f"Note: {' '.join(message.split())}")
    sure = sureness(estimator, X)
    print("\n".join(summary(options.estimator, estimator, labels, sure)))

    with open(labels_path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file" if data.files else "row", "cluster", "sureness"])
        names = data.files or range(len(labels))
        for name, label, share in zip(names, labels, sure, strict=True):
            writer.writerow([name, label, f"{share:.3f}"])
    print(f"Labels: {labels_path}")
    if not options.no_report:
        write_report(report_path, options, data, estimator, seconds)


def make(options: argparse.Namespace) -> Any:
    """Make the estimator that the options name."""
    settings: dict[str, Any] = {"random_state": options.random_state}
    name = options.estimator
    cls: Any = getattr(graph if name == "GraphClustering" else skdeepcluster, name)
    if "n_clusters" in cls().get_params(deep=False):
        settings["n_clusters"] = options.n_clusters
        if options.n_clusters is None and not counts(cls):
            raise ValueError(
                f"{cls.__name__} doesn't count clusters: give --n-clusters."
            )
    elif options.n_clusters is not None:
        raise ValueError(f"{cls.__name__} finds the number: leave out --n-clusters.")
    return cls(**settings)


def counts(cls: Any) -> bool:
    """Whether a clusterer finds the number of clusters where it isn't given."""
    return None in cls._parameter_constraints["n_clusters"]


def read(path: Path, features: str | None = None) -> Data:
    """Rows of a file as numbers."""
    if features is not None:
        raise ValueError(f"{path} is no folder of images: leave out --features.")
    X, left_out = read_table(path)
    return Data(
        X,
        f"{X.shape[0]} rows, {X.shape[1]} columns",
        {f"column {name!r}": reason for name, reason in left_out.items()},
    )


def rows_of_images(options: argparse.Namespace, cache: Path) -> Data:
    """Rows of the images in a folder, by their features or else their pixels."""
    background, features = options.background, options.features
    found = image_files.read(options.data, background=background)
    images = found.images
    if found.transparent:
        print(
            f"Note: transparent images, {len(found.transparent)} of {len(images)}, are "
            f"pasted on {background}; --background takes another colour."
        )
    if features is None:
        X = image_files.pixels(images, background=background)
        made = (
            "pixels of 32 x 32, for want of --features; those of a pretrained network "
            "tell photographs apart much better"
        )
    else:
        X = image_files.features(images, features, cache=cache)
        made = f"{X.shape[1]} features by {features}, kept in {cache}"
    return Data(X, f"{len(images)} images, {made}", found.left_out, found.names, images)


def read_table(path: Path) -> tuple[Any, dict[str, str]]:
    """Rows of a file as numbers, and columns that were left out with the reason."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return array_of(path), {}
    if suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path} has the suffix {suffix!r}: give {SUFFIXES}.")
    pandas = import_extra("pandas", "compare", "Reading a table")
    if suffix == ".csv":
        return numbers_of(pandas, pandas.read_csv(path))
    try:
        frame = pandas.read_parquet(path)
    except ImportError as error:
        raise ImportError("Reading .parquet needs pyarrow: pip install pyarrow") from (
            error
        )
    return numbers_of(pandas, frame)


def array_of(path: Path) -> np.ndarray:
    """Rows in an array, or in the array ``X`` of several."""
    found = np.load(path, allow_pickle=False)
    if not isinstance(found, np.ndarray):
        with found as arrays:
            names = list(arrays)
            if len(names) > 1 and "X" not in names:
                raise ValueError(
                    f"{path} holds the arrays {', '.join(names)}: name the one to "
                    "cluster X."
                )
            found = arrays["X" if "X" in names else names[0]]
    if found.ndim != 2:
        raise ValueError(
            f"{path} holds an array of shape {found.shape}: give rows and columns, as "
            "X.reshape(len(X), -1) makes them."
        )
    return found


def numbers_of(pandas: Any, frame: Any) -> tuple[Any, dict[str, str]]:
    """Numbers as they are, other columns one-hot; what is missing is filled in."""
    types = pandas.api.types
    left_out: dict[str, str] = {}
    numeric, other = [], []
    for name in frame.columns:
        column = frame[name]
        if column.isna().all():
            left_out[name] = "it is empty"
        elif types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(
            column
        ):
            left_out[name] = "it holds dates or time spans, which have no unit"
        elif types.is_numeric_dtype(column):
            numeric.append(name)
        elif column.nunique() > max(MOST_VALUES * len(column), 2):
            left_out[name] = "nearly every row has text of its own there"
        else:
            other.append(name)
    if not numeric and not other:
        raise ValueError("The table has no column to cluster by.")
    frame = frame.copy()
    frame[numeric] = frame[numeric].astype(float)
    # Missing values of pandas' own types are unknown to scikit-learn.
    frame[other] = frame[other].astype(object).where(frame[other].notna(), np.nan)
    prepare = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numeric),
            (
                "others",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"),
                    OneHotEncoder(sparse_output=False),
                ),
                other,
            ),
        ]
    )
    return prepare.fit_transform(frame), left_out


def sureness(estimator: Any, X: Any) -> np.ndarray:
    """How sure each row's cluster is: by agreement of starts, or its probability."""
    if hasattr(estimator, "row_agreement_"):
        return estimator.row_agreement_
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(X).max(1)
    return np.full(X.shape[0], np.nan)


def summary(
    name: str, estimator: Any, labels: np.ndarray, sure: np.ndarray
) -> list[str]:
    """Lines that tell what was found."""
    clusters, sizes = np.unique(labels, return_counts=True)
    n_found = int((clusters >= 0).sum())
    lines = [f"{name}: {n_found} cluster{'s' * (n_found != 1)}"]
    if n_found == 1:
        lines.append("Nothing shows that there are more clusters than one.")
        others = [str(k) for k in getattr(estimator, "layers_", []) if k > 1]
        if others:
            lines.append(f"Others to try with --n-clusters: {', '.join(others)}")
    elif hasattr(estimator, "agreement_"):
        agreement = estimator.agreement_
        verdict = "sure" if agreement >= 0.8 else "fair" if agreement >= 0.5 else "poor"
        lines.append(
            f"Starts agree by {agreement:.2f} (adjusted Rand index): {verdict}"
        )
    lines.append(f"{'cluster':>8} {'rows':>8} {'share':>7} {'sureness':>9}")
    for cluster, size in zip(clusters, sizes, strict=True):
        mean = sure[labels == cluster].mean()
        told = "" if np.isnan(mean) else f"{mean:.2f}"
        shown = "noise" if cluster < 0 else str(cluster)
        lines.append(f"{shown:>8} {size:>8} {size / len(labels):>7.1%} {told:>9}")
    return lines


def write_report(
    path: Path, options: argparse.Namespace, data: Data, estimator: Any, seconds: float
) -> None:
    """Write the report of a comparison with k-means, where its extra is installed."""
    try:
        for module in ("pandas", "matplotlib"):
            import_extra(module, "compare", "The report")
    except ImportError as error:
        print(f"No report: {error}")
        return
    from skdeepcluster.model_selection import compare_clusterers
    from skdeepcluster.model_selection._fits import AlreadyFitted

    labels = estimator.labels_
    n_clusters = len(np.unique(labels[labels >= 0]))
    kmeans = KMeans(max(n_clusters, 1), n_init=5, random_state=options.random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = compare_clusterers(
            {options.estimator: AlreadyFitted(estimator, seconds), "k-means": kmeans},
            data.X,
            random_state=options.random_state,
            progress=False,
        )
        page = comparison.to_html()
    if data.images:
        shown = images_of_clusters(data.images, labels)
        page = page.replace("</h1>", f"</h1>{shown}", 1)
    path.write_text(page, encoding="utf-8")
    print(f"Report: {path}")


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


if __name__ == "__main__":
    sys.exit(main())
