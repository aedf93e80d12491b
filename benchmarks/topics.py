"""Topics of texts by word weights: `TopicClustering` beside k-means and the graph.

    python benchmarks/topics.py
    python benchmarks/topics.py --data scipy torch --seeds 5

The number of topics is that of the classes, which only score. All take the weights of
``TfidfVectorizer(sublinear_tf=True, stop_words="english")``, and `TopicClustering` the
texts, all of which get a topic. Texts are those of `_kinds` and `_data`, 3,000 of each
at most, and what the functions and classes of three libraries say of themselves, their
modules being the classes.
"""

import argparse
import importlib
import inspect
import sys
import time
from functools import partial

import numpy as np
from _data import _reuters
from _kinds import _emoji, _fortunes, _packages
from _results import add_out, append, parameters
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy
from skdeepcluster.topics import TopicClustering

MOST_TEXTS = 3_000

PARTS = {
    "scipy": "cluster fft integrate interpolate io linalg ndimage optimize signal "
    "sparse spatial special stats",
    "sklearn": "cluster covariance datasets decomposition ensemble feature_extraction "
    "feature_selection gaussian_process inspection linear_model manifold metrics "
    "mixture model_selection naive_bayes neighbors neural_network pipeline "
    "preprocessing semi_supervised svm tree utils",
    "torch": "nn nn.functional nn.init optim optim.lr_scheduler linalg fft special "
    "distributions utils.data autograd cuda",
}


def documentation(library):
    """Docstrings of a library, and the module that each is from."""
    found = {}
    for part in PARTS[library].split():
        module = importlib.import_module(f"{library}.{part}")
        for name in getattr(module, "__all__", dir(module)):
            try:
                thing = getattr(module, name)
            except ImportError:  # experimental, and asks to be enabled
                continue
            text = inspect.getdoc(thing)
            if callable(thing) and text and len(text) > 200:
                found.setdefault(text, part)
    return list(found), list(found.values())


SETS = {
    "emoji-names": _emoji,
    "fortunes": _fortunes,
    "packages": partial(_packages, MOST_TEXTS),
    "reuters": _reuters,
    **{library: partial(documentation, library) for library in PARTS},
}


METHODS = {
    "k-means": lambda k, seed: KMeans(k, n_init=10, random_state=seed),
    "graph": lambda k, seed: GraphClustering(k, random_state=seed),
    "TopicClustering": lambda k, seed: TopicClustering(
        k, no_topic=None, random_state=seed
    ),
}


def loaded(name):
    """Texts and numbers of their classes."""
    texts, labels = SETS[name]()
    some = np.random.default_rng(0).permutation(len(texts))[:MOST_TEXTS]
    classes = np.unique(labels, return_inverse=True)[1]
    return [texts[row] for row in some], classes[some]


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", nargs="+", choices=SETS, default=[*SETS])
parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
parser.add_argument("--seeds", type=int, default=3)
add_out(parser)

if __name__ == "__main__":
    options = parser.parse_args()
    for data in options.data:
        try:
            texts, y = loaded(data)
        except (OSError, ImportError) as error:
            print(f"{data} is left out. {error}", file=sys.stderr)
            continue
        vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english")
        weights = vectorizer.fit_transform(texts)
        n_classes = len(np.unique(y))
        for method in options.methods:
            rows = texts if method == "TopicClustering" else weights
            for seed in range(options.seeds):
                start = time.process_time()
                labels = METHODS[method](n_classes, seed).fit_predict(rows)
                result = {
                    "data": data,
                    "kind": "texts",
                    "method": method,
                    "parameters": parameters(parser, options),
                    "seed": seed,
                    "accuracy": clustering_accuracy(y, labels),
                    "nmi": normalized_mutual_info_score(y, labels),
                    "clusters": len(np.unique(labels)),
                    "cpu_seconds": time.process_time() - start,
                }
                shown = {n: result[n] for n in ("accuracy", "nmi", "cpu_seconds")}
                print(data, method, seed, shown, flush=True)
                append(options.out, [result])
