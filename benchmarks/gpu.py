"""What a GPU gains: DEC on MNIST by phase, neighbours of the graph, labels of new rows.

    python benchmarks/gpu.py                      # under ten minutes
    python benchmarks/gpu.py --device cpu --rows 5000 --new 100000

Beside torch with CUDA it needs what the package needs. Where pytest is installed, the
tests that wait for a GPU run first. MNIST is read as `_data.py` says; without it, rows
like its are made. One table is printed; seconds are by the clock.
"""

import argparse
import importlib.util
import subprocess
import sys
import time

import numpy as np
import torch
from _data import local, mnist
from _results import HERE, add_out, append
from sklearn.neighbors import NearestNeighbors
from speed import N_CLUSTERS, pixel_like

from skdeepcluster import DECClustering, Training
from skdeepcluster.graph.device import nearest_on
from skdeepcluster.metrics import clustering_accuracy

N_NEIGHBORS = 15
# Rows that the processor's neighbours are compared on.
COMPARED = 10_000
PHASES = ("pretraining", "teaching", "clustering")


def clock(device):
    """Seconds by the clock, with all that the device was asked for done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def rows_of_images(n_rows):
    """Rows and labels of MNIST, or rows like its."""
    if local("mnist.npz") is None:
        return "like MNIST", pixel_like(n_rows, 784), None
    X, y = mnist()
    return "MNIST", X[:n_rows], y[:n_rows]


def tests():
    """Outcome of the tests that wait for a GPU."""
    if importlib.util.find_spec("pytest") is None:
        return "pytest is not installed"
    command = [sys.executable, "-m", "pytest", "-q", "-k", "GPU or gpu", HERE.parent]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


def clusterer(device):
    """DEC at its defaults, on the device."""
    training = Training(device=device.type)
    return DECClustering(N_CLUSTERS, training=training, random_state=0)


def fit(X, y, device):
    """Yield seconds of a fit, by phase, and how well it agrees with the labels."""
    model = clusterer(device).fit(X[:1000])
    start = clock(device)
    model.fit(X)
    yield "fit", clock(device) - start
    for phase in PHASES:
        yield phase, sum(epoch["dur"] for epoch in model.history_[phase])
    if y is not None:
        yield "accuracy", clustering_accuracy(y, model.labels_)
    first, again = model.labels_, model.fit_predict(X)
    yield "share of the same labels, again", float((first == again).mean())


def neighbors(X, device):
    """Yield seconds of a search on device and processor, and the share that agrees."""
    nearest_on(device, X[:1000], N_NEIGHBORS)
    start = clock(device)
    nearest_on(device, X, N_NEIGHBORS)
    yield "neighbours on the device", clock(device) - start
    some = X[:COMPARED]
    search = NearestNeighbors(n_neighbors=N_NEIGHBORS, algorithm="brute").fit(some)
    start = time.perf_counter()
    exact = search.kneighbors_graph()
    yield f"neighbours of {len(some):,} on the processor", time.perf_counter() - start
    shared = nearest_on(device, some, N_NEIGHBORS).multiply(exact).sum() / exact.nnz
    yield "share of them that the device finds", float(shared)


def prediction(n_new, device):
    """Yield seconds that labels of new rows take."""
    X = pixel_like(2_000, 100)
    model = clusterer(device).fit(X)
    new = np.tile(X, (-(-n_new // len(X)), 1))[:n_new]
    start = clock(device)
    model.predict(new)
    yield f"predict {n_new:,} rows of 100 columns", clock(device) - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--new", type=int, default=10_000_000)
    add_out(parser)
    options = parser.parse_args()
    device = torch.device(options.device)
    on_gpu = device.type == "cuda"
    if on_gpu and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; --device cpu measures the processor.")
    name = torch.cuda.get_device_name() if on_gpu else "processor"
    data, X, y = rows_of_images(options.rows)
    print(f"torch {torch.__version__}, {name}; {data}, {len(X):,} x {X.shape[1]}")
    if on_gpu:
        print(f"tests: {tests()}")
    print("| measurement | result |\n|---|---|", flush=True)
    for figures in (
        neighbors(X, device),
        fit(X, y, device),
        prediction(options.new, device),
    ):
        for what, result in figures:
            print(f"| {what} | {result:.3f} |", flush=True)
            row = {"data": data, "parameters": f"--rows {options.rows}", "seed": "0"}
            row |= {"method": what, "result": result, "machine": name}
            append(options.out, [row])


if __name__ == "__main__":
    main()
