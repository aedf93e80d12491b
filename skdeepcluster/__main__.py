"""Raw files to named clusters: ``python -m skdeepcluster data.csv``."""

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

import skdeepcluster
from skdeepcluster import graph
from skdeepcluster import images as image_files
from skdeepcluster._columns import looked_at
from skdeepcluster._extras import import_extra
from skdeepcluster._fitted import last_step
from skdeepcluster._page import (
    Cluster,
    bullets,
    clusters_of,
    clusters_part,
    images_of_clusters,
    over_time,
    summary,
    verdict,
    what_next,
)
from skdeepcluster._raw import SUFFIXES, Choice, Data, read_file
from skdeepcluster.tables import TableEncoder
from skdeepcluster.topics import TopicClustering

# By name: torch, which takes seconds to load, is for those that are chosen.
ESTIMATORS = [
    "GraphClustering",
    *(
        name
        for name in skdeepcluster.__all__
        if name not in ("Autoencoder", "DeepOutlierDetector", "Training")
    ),
]


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
        description="Cluster the rows of a table, the texts in it, or the images in a "
        "folder; print what was found and how sure it is, and write a table of labels "
        "and a page with names, reasons and examples.",
    )
    command.add_argument(
        "data",
        type=Path,
        help=f"a table or an array, {SUFFIXES}, or a folder of images",
    )
    columns = command.add_argument_group("columns of a table")
    several: dict[str, Any] = {"nargs": "+", "default": [], "metavar": "COLUMN"}
    columns.add_argument("--columns", **several, help="cluster by these (default: all)")
    columns.add_argument("--drop", **several, help="leave these out")
    columns.add_argument(
        "--id",
        **several,
        help="these name the rows: they aren't clustered, and are kept in what is "
        "written (columns that number or name rows are found)",
    )
    columns.add_argument(
        "--text",
        **several,
        help="cluster the texts in these columns (found where one column of texts is "
        "most of what is written in the table)",
    )
    columns.add_argument(
        "--no-scale",
        action="store_true",
        help="leave numbers as they are, as where all columns have one unit (default: "
        "every column counts the same)",
    )
    command.add_argument(
        "--features",
        help="module:name of a scikit-learn transformer or a function that makes rows "
        "of a list of images, arrays of shape (height, width, 3) of bytes, or of texts "
        "(default: pixels of 32 x 32, weights of words)",
    )
    command.add_argument(
        "--background",
        default="white",
        help="colour that is seen where an image is transparent (default: white)",
    )
    command.add_argument(
        "--n-clusters", type=partial(whole, least=1), help="found if it is not given"
    )
    command.add_argument("--estimator", choices=ESTIMATORS, default="GraphClustering")
    command.add_argument(
        "--output",
        type=Path,
        help="labels go to OUTPUT.csv, the page to OUTPUT.html (default: the name of "
        "the data and -clusters, in the current folder)",
    )
    command.add_argument("--random-state", type=partial(whole, least=0), default=0)
    command.add_argument("--no-report", action="store_true", help="write no page")
    return command


def whole(text: str, least: int) -> int:
    """Read a whole number that is so large at least."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number >= {least}")
    return int(text)


def look(options: argparse.Namespace) -> None:
    """Cluster, print and write, as the options say."""
    output = options.output or Path(f"{options.data.stem}-clusters")
    labels_path, report_path, cache = (
        output.with_name(f"{output.name}{end}")
        for end in (".csv", ".html", "-features.npz")
    )
    if labels_path.resolve() == options.data.resolve():
        raise ValueError(f"{labels_path} is the data: give another --output.")
    if not labels_path.parent.is_dir():
        raise ValueError(f"--output: there is no folder {str(labels_path.parent)!r}.")
    choice = Choice(options.columns, options.drop, options.id, options.text)
    if options.data.is_dir():
        choice.refuse(options.data)
        data = rows_of_images(options, cache)
    else:
        data = read_file(options.data, choice)
    for note in data.notes:
        print(f"Note: {note}.")
    print(f"{options.data}: {data.told}")

    estimator = make(options, data)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labels = np.asarray(estimator.fit_predict(data.X))
    seconds = time.perf_counter() - start
    for message in dict.fromkeys(str(each.message) for each in caught):
        told = " ".join(message.split()).replace("Give n_clusters", "Give --n-clusters")
        print(f"Note: {told}")
    sure = sureness(estimator, data.X, labels)
    clusters = clusters_of(data, estimator, labels, sure)
    found = [
        verdict(options.n_clusters, estimator, clusters),
        what_next(options, data, estimator, clusters),
    ]
    steps = [f"Next: {step}" for step in found[1]]
    print("\n".join([*found[0], *summary(clusters), *steps]))

    write_labels(labels_path, data, clusters, labels, sure)
    print(f"Labels: {labels_path}")
    if not options.no_report:
        write_report(report_path, options, data, estimator, clusters, found, seconds)


def rows_of_images(options: argparse.Namespace, cache: Path) -> Data:
    """Rows of the images in a folder, by their features or else their pixels."""
    background, features = options.background, options.features
    found = image_files.read(options.data, background=background)
    images = found.images
    notes = [f"{name} is left out: {why}" for name, why in found.left_out.items()]
    if found.transparent:
        notes.append(
            f"transparent images, {len(found.transparent)} of {len(images)}, are "
            f"pasted on {background}; --background takes another colour"
        )
    if features is None:
        X = image_files.pixels(images, background=background)
        made = "pixels of 32 x 32, for want of --features"
    else:
        X = image_files.features(images, features, cache=cache)
        made = f"{X.shape[1]} features by {features}, kept in {cache}"
    told = f"{len(images)} images, {made}"
    return Data("images", X, told, notes, {"file": found.names}, images)


def make(options: argparse.Namespace, data: Data) -> Any:
    """Make the estimator that the options name, with what prepares the data."""
    seed = options.random_state
    if data.kind not in ("texts", "images") and options.features is not None:
        raise ValueError(
            f"{options.data} holds neither images nor texts: leave out --features."
        )
    if data.kind == "texts":
        embedder = options.features and image_files.imported(options.features)
        if options.estimator == "GraphClustering":
            return TopicClustering(
                options.n_clusters, embedder=embedder, random_state=seed
            )
        vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
        if embedder is not None:
            raise ValueError(
                "--features of texts are for topics: leave out --estimator."
            )
        return make_pipeline(vectorizer, clusterer(options))
    if data.kind != "table":
        return clusterer(options)
    encoder = TableEncoder(random_state=seed)
    if options.no_scale:
        data.X = numbers_of(data.X)
        # Warnings then name the columns.
        fill = SimpleImputer(strategy="median").set_output(transform="pandas")
        return make_pipeline(fill, clusterer(options))
    return make_pipeline(encoder, clusterer(options))


def numbers_of(frame: Any) -> Any:
    """Numbers of a table as they are."""
    columns: list[Any] = [looked_at(frame[name], name) for name in frame]
    others = [repr(it.name) for it in columns if it.kind != "number"]
    if others:
        raise ValueError(
            f"--no-scale takes numbers alone, and {', '.join(others)} hold others: "
            "--drop them, or leave out --no-scale."
        )
    return frame.assign(**{str(it.name): it.read(frame[it.name]) for it in columns})


def clusterer(options: argparse.Namespace) -> Any:
    """Make the clusterer that the options name."""
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


def sureness(estimator: Any, X: Any, labels: np.ndarray) -> np.ndarray:
    """How sure each row's cluster is: by agreement of starts, or its probability."""
    final = last_step(estimator)
    sure = np.full(len(labels), np.nan)
    if len(np.unique(labels[labels >= 0])) < 2:
        return sure
    if hasattr(final, "row_agreement_"):
        sure = final.row_agreement_.copy()
    elif hasattr(estimator, "predict_proba"):
        sure = estimator.predict_proba(X).max(1)
    sure[labels < 0] = np.nan
    return sure


def write_labels(
    path: Path,
    data: Data,
    clusters: list[Cluster],
    labels: np.ndarray,
    sure: np.ndarray,
) -> None:
    """Write cluster, name and sureness of each row, beside what names it."""
    rows = {} if data.kind == "images" else {"row": range(len(labels))}
    ours = {"row", "file", "cluster", "sureness", "name"}
    theirs = {f"{it} (data)" if it in ours else it: v for it, v in data.ids.items()}
    ids = rows | (data.ids if data.kind == "images" else theirs)
    names = {each.label: each.name for each in clusters}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*ids, "cluster", "sureness", "name"])
        for *row, label, share in zip(
            *ids.values(), labels.tolist(), sure.tolist(), strict=True
        ):
            told = "" if np.isnan(share) else f"{share:.3f}"
            writer.writerow([*row, label, told, names[label]])


def write_report(
    path: Path,
    options: argparse.Namespace,
    data: Data,
    estimator: Any,
    clusters: list[Cluster],
    found: list[list[str]],
    seconds: float,
) -> None:
    """Write the page, where what draws its pictures is installed."""
    try:
        for module in ("pandas", "matplotlib"):
            import_extra(module, "compare", "The report")
    except ImportError as error:
        print(f"No report: {error}")
        return
    from skdeepcluster.model_selection._report import html_page

    labels = last_step(estimator).labels_
    picture = images_of_clusters(data.images, labels) if data.images else ""
    told = [f"{options.data}: {data.told}", *(f"Note: {it}." for it in data.notes)]
    body = clusters_part([*told, *found[0]], clusters, picture)
    if data.dates is not None and hasattr(estimator, "topics_over_time"):
        body += over_time(estimator, data.dates)
    body += f"<h2>What next</h2>{bullets(found[1])}" * bool(found[1])
    if sum(each.label >= 0 for each in clusters) > 1:
        body += beside_kmeans(options, data, estimator, seconds)
    page = html_page(f"Clusters of {options.data.name}", body)
    path.write_text(page, encoding="utf-8")
    print(f"Report: {path}")


def beside_kmeans(
    options: argparse.Namespace, data: Data, estimator: Any, seconds: float
) -> str:
    """Part of a page: the clusters beside as many of k-means."""
    from skdeepcluster.model_selection import compare_clusterers
    from skdeepcluster.model_selection._fits import AlreadyFitted
    from skdeepcluster.model_selection._report import comparison_parts

    n_clusters = int(last_step(estimator).labels_.max()) + 1
    kmeans: Any = KMeans(n_clusters, n_init=5, random_state=options.random_state)
    if data.kind == "texts":
        kmeans = make_pipeline(TfidfVectorizer(stop_words="english"), kmeans)
    elif data.kind == "table":
        kmeans = make_pipeline(*estimator[:-1], kmeans)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = compare_clusterers(
            {options.estimator: AlreadyFitted(estimator, seconds), "k-means": kmeans},
            data.X,
            random_state=options.random_state,
            n_references=0,
            progress=False,
        )
        return f"<h2>Beside k-means</h2>{comparison_parts(comparison)}"


if __name__ == "__main__":
    sys.exit(main())
