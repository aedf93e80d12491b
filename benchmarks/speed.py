"""Time our training and prediction over bare hand-written torch loops.

Both sides of each pair run in turn on the same data, in one process, and the medians
are printed with their ratio. The bare loops do the arithmetic of ours and nothing else:

pretraining   shuffled index, ``torch.from_numpy(X[index])``, standardisation, encoder,
              decoder, mean squared error, backward, fused Adam; no loss is read. Sparse
              rows are densified by ``toarray``.
DEC           the same batches, standardisation, encoder, Student t assignment,
              Kullback-Leibler divergence from the target, fused Adam; the target is
              refreshed over all the rows every 140 steps, 1024 rows at a time.
prediction    1024 rows at a time: standardisation, encoder, nearest centroid.

Ours is timed by its own history, an epoch's duration; prediction by the clock around
`predict`, with its input checks. Memory is the peak of a fresh process during `predict`
above what it held just before.
"""

import argparse
import itertools
import math
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from _results import add_out, append
from sklearn.base import clone
from torch import nn

from skdeepcluster import Autoencoder, DECClustering, Training
from skdeepcluster import functional as F
from skdeepcluster._devices import autocast

BATCH, REFRESH, CHUNK = 256, 140, 1024
N_CLUSTERS = 10


def pixel_like(n_samples, n_features, seed=0):
    """Noisy copies of ten prototypes, two thirds of the values zero."""
    rng = np.random.default_rng(seed)
    prototypes = rng.normal(-0.5, 1, (N_CLUSTERS, n_features)).astype(np.float32)
    X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
    X *= 0.3
    X += prototypes[rng.integers(N_CLUSTERS, size=n_samples)]
    return np.clip(X, 0, 1, out=X)


def text_like(n_samples, n_features, density=0.005, seed=0):
    """Sparse rows."""
    rng = np.random.default_rng(seed)
    return sp.random(
        n_samples, n_features, density, format="csr", dtype=np.float32, rng=rng
    )


def batches(X, rng):
    order = rng.permutation(X.shape[0])
    for index in np.array_split(order, math.ceil(X.shape[0] / BATCH)):
        rows = X[index]
        dense = rows.toarray() if sp.issparse(rows) else rows
        yield torch.from_numpy(dense), torch.from_numpy(index)


def layers(widths):
    stack = []
    for n_in, n_out in itertools.pairwise(widths):
        stack += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*stack[:-1])


class Bare:
    """The hand-written loops, on a copy of a fitted autoencoder's weights."""

    def __init__(self, autoencoder, precision):
        module = autoencoder.module_
        config = module.config
        widths = [config["n_features"], *config["hidden_units"], config["latent_dim"]]
        self.encoder, self.decoder = layers(widths), layers(widths[::-1])
        self.encoder.load_state_dict(module.encoder.state_dict())
        self.decoder.load_state_dict(module.decoder.state_dict())
        self.shift, self.scale = module.shift.clone(), module.scale.clone()
        self.precision = precision

    def pretrain(self, X, epochs=1):
        rng = np.random.default_rng(0)
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

        # A function, so that a step's tensors are freed before the next batch is made.
        def step(x):
            optimizer.zero_grad(set_to_none=True)
            with autocast("cpu", self.precision):
                target = (x - self.shift) / self.scale
                reconstruction = self.decoder(self.encoder(target))
            nn.functional.mse_loss(reconstruction.float(), target).backward()
            optimizer.step()

        start = time.perf_counter()
        for _ in range(epochs):
            for x, _ in batches(X, rng):
                step(x)
        return (time.perf_counter() - start) / epochs

    @torch.no_grad()
    def assign(self, X, centers):
        return torch.cat(
            [
                F.student_t(
                    self.encoder(
                        (torch.from_numpy(X[i : i + CHUNK]) - self.shift) / self.scale
                    ).float(),
                    centers,
                )
                for i in range(0, len(X), CHUNK)
            ]
        )

    def dec(self, X, centers):
        rng = np.random.default_rng(0)
        centers = nn.Parameter(torch.from_numpy(centers.copy()))
        parameters = [*self.encoder.parameters(), centers]
        optimizer = torch.optim.Adam(parameters, lr=1e-4, fused=True)

        def step(x, p):
            optimizer.zero_grad(set_to_none=True)
            with autocast("cpu", self.precision):
                z = self.encoder((x - self.shift) / self.scale)
            F.kl_divergence(p, F.student_t(z.float(), centers)).backward()
            optimizer.step()

        start = time.perf_counter()
        for count, (x, index) in enumerate(batches(X, rng)):
            if count % REFRESH == 0:
                with autocast("cpu", self.precision):
                    target = F.target_distribution(self.assign(X, centers))
            step(x, target[index])
        return time.perf_counter() - start

    def predict(self, X, centers):
        centers = torch.from_numpy(centers)
        start = time.perf_counter()
        self.assign(X, centers).argmax(1)
        return time.perf_counter() - start


def epoch_seconds(estimator, phase):
    return np.median([epoch["dur"] for epoch in estimator.history_[phase]])


def compare(ours, bare, repeats):
    """Medians of seconds of two functions that run in turn, after one run of each."""
    pairs = np.array([(ours(), bare()) for _ in range(repeats + 1)])
    return np.median(pairs[1:], axis=0)


def report(options, name, ours, bare, steps=None, megabytes=None):
    over = (ours - bare) / steps * 1e3 if steps else None
    extra = f"{over:+9.3f} ms a step" if steps else f"{megabytes:9.1f} MB above input"
    print(f"{name:<34}{ours:9.3f}{bare:9.3f}{ours / bare:8.3f}{extra}", flush=True)
    row = {"data": name, "parameters": "--quick" * options.quick, "method": "ours"}
    row |= {"seed": f"median of {options.repeats}", "seconds": float(ours)}
    row |= {"bare_seconds": float(bare), "ms_a_step_over": over}
    append(options.out, [row | {"megabytes": megabytes}])


def pretraining(X, autoencoder, repeats):
    untrained = clone(autoencoder).set_params(max_epochs=0).fit(X)
    precision = autoencoder.precision

    def ours():
        return epoch_seconds(autoencoder.fit(X), "pretraining")

    def bare():
        return Bare(untrained, precision).pretrain(X, autoencoder.max_epochs)

    return *compare(ours, bare, repeats), math.ceil(X.shape[0] / BATCH)


def clustering(X, precision, repeats):
    autoencoder = Autoencoder(
        max_epochs=1, training=Training(precision=precision), random_state=0
    ).fit(X)
    centers = autoencoder.transform(X[:N_CLUSTERS])
    dec = DECClustering(
        N_CLUSTERS, encoder=autoencoder, init=centers, max_epochs=1, tol=0
    )

    def ours():
        return epoch_seconds(dec.fit(X), "clustering")

    def bare():
        return Bare(autoencoder, precision).dec(X, centers)

    return *compare(ours, bare, repeats), math.ceil(X.shape[0] / BATCH)


MEMORY = """
import gc, pickle, sys
import numpy as np

def held(field):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(field))

with open(sys.argv[1], "rb") as file:
    estimator = pickle.load(file)
X = np.load(sys.argv[2])
gc.collect()
before = held("VmRSS")
estimator.predict(X)
print((held("VmHWM") - before) / 1024)
"""


def prediction(X, repeats):
    autoencoder = Autoencoder(max_epochs=0, random_state=0).fit(X)
    centers = autoencoder.transform(X[:N_CLUSTERS])
    dec = DECClustering(
        N_CLUSTERS, encoder=autoencoder, init=centers, max_epochs=0
    ).fit(X)

    def ours():
        start = time.perf_counter()
        dec.predict(X)
        return time.perf_counter() - start

    def bare():
        return Bare(autoencoder, "float32").predict(X, centers)

    with tempfile.TemporaryDirectory() as folder:
        model, rows = Path(folder, "model.pkl"), Path(folder, "X.npy")
        model.write_bytes(pickle.dumps(dec))
        np.save(rows, X)
        command = [sys.executable, "-c", MEMORY, model, rows]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    return *compare(ours, bare, repeats), None, float(result.stdout)


def measured(only, n, repeats):
    """Yield names, seconds of ours and of the bare loops, and steps or memory."""
    wide = pixel_like(n, 784)
    for precision in ("float32", "bf16") if "pretraining" in only else ():
        net = Autoencoder(
            max_epochs=1, training=Training(precision=precision), random_state=0
        )
        yield f"pretraining epoch, {precision}", *pretraining(wide, net, repeats)
    for precision in ("float32", "bf16") if "dec" in only else ():
        yield f"DEC epoch, {precision}", *clustering(wide, precision, repeats)
    if "small" in only:
        net = Autoencoder((32,), 4, max_epochs=20, random_state=0)
        X = pixel_like(20_000, 64)
        yield "pretraining epoch, 64-32-4", *pretraining(X, net, repeats)
    if "sparse" in only:
        X = text_like(n // 7 * 2, 10_000)
        net = Autoencoder(max_epochs=1, random_state=0)
        yield "pretraining epoch, sparse 0.5 %", *pretraining(X, net, repeats)
    if "predict" in only:
        yield f"predict {n:,} rows", *prediction(wide, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument("--repeats", type=int, default=5)
    names = ["pretraining", "dec", "small", "sparse", "predict"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    add_out(parser)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'seconds':<34}{'ours':>9}{'bare':>9}{'ratio':>8}", flush=True)
    n = 7_000 if options.quick else 70_000
    for figures in measured(options.only, n, options.repeats):
        report(options, *figures)


if __name__ == "__main__":
    main()
