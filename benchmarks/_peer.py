"""One clusterer, run once in a process of its own; `peers.py` starts it.

The interpreter is that of an environment with the peer alone, so nothing but numpy is
imported here before it is known which. Called with one argument, a JSON object:
``method``, ``rows`` (a file of numpy's), ``labels`` (where to write them),
``n_clusters``, ``seed`` and ``epochs`` (of pretraining and of clustering, where they
are to be equal). It prints a JSON object in its last line.
"""

import gc
import importlib
import json
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

# Settings of UMAP before a clustering, as its documentation advises and N2D takes them.
UMAP = {"n_neighbors": 20, "min_dist": 0.0, "n_components": 10}


class Scaled:
    """A clusterer of ClustPy's, given rows in the units that its examples bring about.

    Ours centre and scale inside. VaDE's loss is a cross entropy of values from 0 to 1.
    """

    def __init__(self, clusterer, to_unit):
        self.clusterer = clusterer
        self.to_unit = to_unit

    def fit_predict(self, X):
        if self.to_unit:
            X = (X - X.min()) / (X.max() - X.min())
        else:
            X = (X - X.mean()) / X.std()
        return self.clusterer.fit_predict(X)


class Embedded:
    """A clusterer of what UMAP makes of rows, first narrowed where they are wide."""

    def __init__(self, clusterer, seed):
        self.clusterer = clusterer
        self.seed = seed

    def fit_predict(self, X):
        from sklearn.decomposition import PCA
        from umap import UMAP as Reducer

        if X.shape[1] > 100:
            X = PCA(50, random_state=0).fit_transform(X)
        Z = Reducer(**UMAP, random_state=self.seed).fit_transform(X)
        return self.clusterer.fit_predict(Z)


def clustpy(name, equal, k, seed, epochs):
    """A deep clusterer of ClustPy's: at its defaults, or for as many epochs as ours."""
    from clustpy import deep

    settings = {}
    if equal:
        settings["pretrain_epochs"] = epochs[0]
        if not name.startswith("N2D"):
            settings["clustering_epochs"] = epochs[1]
    if name == "N2D-umap":
        # What its paper takes; the default, t-SNE, has three dimensions at most.
        from umap import UMAP as Reducer

        params = {**UMAP, "random_state": seed}
        settings |= {"manifold_class": Reducer, "manifold_params": params}
    factory = getattr(deep, name.partition("-")[0])
    return Scaled(factory(k, random_state=seed, **settings), name == "VaDE")


def evoc(near, k, seed, epochs):
    """EVoC, which finds the number of clusters or comes near the one that is given."""
    from evoc import EVoC

    return EVoC(approx_n_clusters=k if near else None, random_state=seed)


def umap_hdbscan(k, seed, epochs):
    """UMAP, then fast_hdbscan with the settings of HDBSCAN in `quality.py`."""
    from fast_hdbscan import HDBSCAN

    return Embedded(HDBSCAN(min_cluster_size=50, min_samples=5), seed)


def umap_gmm(k, seed, epochs):
    """UMAP, then the mixture of `quality.py`."""
    from sklearn.mixture import GaussianMixture

    return Embedded(GaussianMixture(k, reg_covar=1e-4, random_state=seed), seed)


def of_quality(name, k, seed, epochs):
    """A method of `quality.py`, at the defaults of ours."""
    import quality

    if name in quality.ALONE:
        return quality.ALONE[name](k, seed)
    return quality.SHARING[name](k, random_state=seed)


def equal(name, k, seed, epochs):
    """One of ours that does what ClustPy's does: k-means once, then so many epochs."""
    import quality
    from sklearn.cluster import KMeans

    from skdeepcluster import Autoencoder, Training

    autoencoder = Autoencoder(
        (500, 500, 2000),
        10,
        max_epochs=epochs[0],
        batch_size=256,
        lr=1e-3,
        training=Training(precision="float32"),
        random_state=seed,
    )
    settings = {"encoder": autoencoder, "random_state": seed}
    if name != "n2d":
        settings |= {"init": KMeans(n_init=1), "max_epochs": epochs[1]}
    if name in ("dec", "idec"):
        # It never ends before the last epoch.
        settings["tol"] = 0
    return quality.SHARING[name](k, **settings)


# Of a method: environment, packages whose import is timed, and factory ``(n_clusters,
# seed, epochs)``. Names of ours and of scikit-learn's are those of `quality.py`.
METHODS = {}
for _name in ("graph", "dec", "idec", "dcn", "vade", "n2d", "ddc", "ae-gmm"):
    METHODS[_name] = "ours", ["skdeepcluster"], partial(of_quality, _name)
for _name in ("kmeans", "spectral", "hdbscan"):
    METHODS[_name] = "ours", ["sklearn.cluster"], partial(of_quality, _name)
METHODS |= {
    "umap-hdbscan": ("umap", ["umap", "fast_hdbscan"], umap_hdbscan),
    "umap-gmm": ("umap", ["umap", "sklearn.mixture"], umap_gmm),
    "evoc": ("evoc", ["evoc"], partial(evoc, False)),
    "evoc-near": ("evoc", ["evoc"], partial(evoc, True)),
}
_DEEP = {
    "dec": "DEC",
    "idec": "IDEC",
    "dcn": "DCN",
    "vade": "VaDE",
    "n2d": "N2D",
    "n2d-umap": "N2D-umap",
}
for _name, _theirs in _DEEP.items():
    METHODS[f"clustpy-{_name}"] = (
        "clustpy",
        ["clustpy.deep"],
        partial(clustpy, _theirs, False),
    )
for _name, _theirs in _DEEP.items():
    if _name == "n2d":
        # It can't be fitted, whatever the epochs.
        continue
    METHODS[f"{_name.removesuffix('-umap')}-equal"] = (
        "ours",
        ["skdeepcluster"],
        partial(equal, _name.removesuffix("-umap")),
    )
    METHODS[f"clustpy-{_name}-equal"] = (
        "clustpy",
        ["clustpy.deep"],
        partial(clustpy, _theirs, True),
    )


def let_torchvision_in():
    """Make torchvision importable beside a build of torch that it wasn't built for.

    ClustPy imports it for augmentations, which nothing here uses. Its operators can't
    be loaded then, and it trips over the absence of two, which are only declared.
    """
    try:
        import torchvision
    except RuntimeError:
        import torch

        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
        for name in [n for n in sys.modules if n.startswith("torchvision")]:
            del sys.modules[name]
        import torchvision  # noqa: F401

        return operators


def megabytes(field):
    """Resident memory of this process, now (VmRSS) or at most (VmHWM).

    Not ``ru_maxrss``: a new process starts with that of the one that started it.
    """
    with open("/proc/self/status") as lines:
        return next(int(li.split()[1]) for li in lines if li.startswith(field)) / 1024


def main():
    request = json.loads(sys.argv[1])
    _, packages, factory = METHODS[request["method"]]
    start = time.perf_counter(), time.process_time()
    # As long as the operators are wanted, the library that declares them must live.
    kept = let_torchvision_in() if "clustpy.deep" in packages else None
    for package in packages:
        importlib.import_module(package)
    imported = time.perf_counter() - start[0], time.process_time() - start[1]
    clusterer = factory(request["n_clusters"], request["seed"], request["epochs"])
    X = np.load(request["rows"])
    gc.collect()
    # From here on the peak is that of the fit.
    Path("/proc/self/clear_refs").write_text("5")
    base = megabytes("VmRSS")
    start = time.perf_counter(), time.process_time()
    labels = clusterer.fit_predict(X)
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = megabytes("VmHWM")
    np.save(request["labels"], np.asarray(labels))
    del kept
    result = {
        "seconds": seconds[0],
        "processor_seconds": seconds[1],
        "import_seconds": imported[0],
        "import_processor_seconds": imported[1],
        "base_megabytes": base,
        "peak_megabytes": peak,
    }
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main()
