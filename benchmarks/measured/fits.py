"""Seconds, memory and quality of fits, predictions and imports.

`time_` is in seconds of the processor, `peakmem_` is the largest resident memory of a
process that does nothing else, and `track_` returns a number of its own. Every fit has
the same seed, so that a quality moves only where the code moves it. `bare_seconds` is
what seconds are divided by to compare machines.
"""

import subprocess
import sys
import time

import numpy as np
import torch
from _synthetic import SYNTHETIC
from sklearn.datasets import load_digits
from speed import layers, pixel_like, text_like
from torch import nn

from skdeepcluster import (
    Autoencoder,
    AutoencoderGMM,
    DCNClustering,
    DDCClustering,
    DECClustering,
    DKMClustering,
    IDECClustering,
    Training,
    VaDEClustering,
)
from skdeepcluster.graph import GraphClustering
from skdeepcluster.metrics import clustering_accuracy

BARE_STEPS = 20


def bare_seconds():
    """Processor seconds of a bare loop: steps of an autoencoder of 784 columns."""
    widths = [784, 500, 500, 2000, 10]
    network = nn.Sequential(layers(widths), layers(widths[::-1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    x = torch.from_numpy(pixel_like(256, 784))
    spent = []
    for _ in range(2):
        start = time.process_time()
        for _ in range(BARE_STEPS):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.mse_loss(network(x), x).backward()
            optimizer.step()
        spent.append(time.process_time() - start)
    # The first steps load parts of torch.
    return min(spent)


class Seldom:
    """Settings of asv: whole fits, one a measurement, few of them."""

    number = 1
    rounds = 1
    # At least, at most, and seconds after which no other begins.
    repeat = (1, 3, 3.0)
    warmup_time = 0
    timeout = 300
    # Processor time: other work on the machine disturbs it little.
    timer = time.process_time


class Import(Seldom):
    """A new process that imports an estimator."""

    # What another process spends is none of this one's.
    timer = time.perf_counter

    def time_import(self):
        code = "from skdeepcluster import DECClustering"
        subprocess.run([sys.executable, "-c", code], check=True)

    def track_import_megabytes(self):
        code = (
            "from skdeepcluster import DECClustering\n"
            "with open('/proc/self/status') as lines:\n"
            "    print(next(li for li in lines if li.startswith('VmHWM')))\n"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return int(done.stdout.split()[1]) / 1024

    track_import_megabytes.unit = "MB"


CLUSTERERS = {
    "graph": GraphClustering,
    "dec": DECClustering,
    "idec": IDECClustering,
    "dcn": DCNClustering,
    "dkm": DKMClustering,
    "vade": VaDEClustering,
    "ae-gmm": AutoencoderGMM,
    "ddc": DDCClustering,
}


class Digits(Seldom):
    """Whole fits on 1,797 digits of 64 pixels, at the defaults."""

    params = list(CLUSTERERS)
    param_names = ["clusterer"]

    def setup(self, name):
        self.X = load_digits().data.astype(np.float32)
        self.clusterer = CLUSTERERS[name](10, random_state=0)

    def time_fit(self, name):
        self.clusterer.fit(self.X)


class Quality(Seldom):
    """Accuracy of the two that most begin with, on the digits."""

    params = ["graph", "dec"]
    param_names = ["clusterer"]

    def track_accuracy(self, name):
        X, y = load_digits(return_X_y=True)
        clusterer = CLUSTERERS[name](10, random_state=0)
        return clustering_accuracy(y, clusterer.fit_predict(X.astype(np.float32)))

    track_accuracy.unit = "accuracy"


class Few(Seldom):
    """A whole fit on rows as few as many users have."""

    params = [178, 1000]
    param_names = ["rows"]

    def setup(self, rows):
        self.X = pixel_like(rows, 20)

    def time_dec(self, rows):
        DECClustering(10, random_state=0).fit(self.X)

    def peakmem_dec(self, rows):
        DECClustering(10, random_state=0).fit(self.X)


class Wide(Seldom):
    """A whole fit on few rows of many columns."""

    def setup(self):
        self.X = pixel_like(2_000, 3_072)

    def time_dec(self):
        DECClustering(10, random_state=0).fit(self.X)


class Shapes(Seldom):
    """Clusters of a graph where they are obvious to the eye."""

    params = list(SYNTHETIC)
    param_names = ["family"]

    def track_accuracy(self, family):
        X, y = SYNTHETIC[family]()
        graph = GraphClustering(len(np.unique(y)), random_state=0)
        return clustering_accuracy(y, graph.fit_predict(X))

    track_accuracy.unit = "accuracy"


class Graph(Seldom):
    """A graph of rows that are many and wide."""

    def setup(self):
        self.X = pixel_like(10_000, 784)

    def time_fit(self):
        GraphClustering(10, random_state=0).fit(self.X)

    def peakmem_fit(self):
        GraphClustering(10, random_state=0).fit(self.X)


class Epochs(Seldom):
    """Training alone, for two epochs: the first of a process loads parts of torch."""

    params = ["float32", "bf16"]
    param_names = ["precision"]

    def setup(self, precision):
        self.X = pixel_like(8_192, 784)
        settings = {"training": Training(precision=precision), "random_state": 0}
        widths = (500, 500, 2000)
        self.autoencoder = Autoencoder(widths, 10, max_epochs=2, **settings)
        self.untrained = Autoencoder(widths, 10, max_epochs=0, **settings).fit(self.X)
        self.centers = self.untrained.transform(self.X[:10])

    def dec(self):
        return DECClustering(
            10,
            encoder=self.untrained,
            init=self.centers,
            max_epochs=2,
            tol=0,
            random_state=0,
        ).fit(self.X)

    def time_pretraining(self, precision):
        self.autoencoder.fit(self.X)

    def time_dec(self, precision):
        self.dec()

    def peakmem_dec(self, precision):
        self.dec()


class Sparse(Seldom):
    """Training on sparse rows, whose batches are made dense one by one."""

    def setup(self):
        self.X = text_like(5_000, 2_000)

    def time_pretraining(self):
        Autoencoder((500, 500, 2000), 10, max_epochs=2, random_state=0).fit(self.X)

    def peakmem_pretraining(self):
        Autoencoder((500, 500, 2000), 10, max_epochs=2, random_state=0).fit(self.X)


class Predict(Seldom):
    """Labels of new rows: all at once, and one."""

    def setup(self):
        self.X = pixel_like(16_384, 784)
        autoencoder = Autoencoder((500, 500, 2000), 10, max_epochs=0, random_state=0)
        autoencoder.fit(self.X)
        self.clusterer = DECClustering(
            10,
            encoder=autoencoder,
            init=autoencoder.transform(self.X[:10]),
            max_epochs=0,
        ).fit(self.X)

    def time_rows(self):
        self.clusterer.predict(self.X)

    def time_row(self):
        self.clusterer.predict(self.X[:1])

    def peakmem_rows(self):
        self.clusterer.predict(self.X)
