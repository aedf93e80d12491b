"""How near to the machine's own rate of matrix products training and prediction come.

First the rate of each product of the layers 784-500-500-2000-10 and their mirror, on
batches of 256 rows: forward, gradient of the weights, gradient of the inputs. Operands
stay in the cache there, so it is a bound. Then the phases of a fit of `DECClustering`:
the products of an epoch at those rates, Adam's steps by themselves, and what is left;
``reached`` is the time of the products over all the time. With one thread all is
processor time, which other work on the machine disturbs little, and with more it is
time by the clock, for a machine without other work.
"""

import argparse
import itertools
import math
import statistics
import time

import pandas as pd
import torch
from _results import add_out, append, machine
from skorch.callbacks import Callback
from speed import BATCH, N_CLUSTERS, pixel_like
from torch import nn
from torch.nn.functional import linear

from skdeepcluster import Autoencoder, DECClustering, Training

WIDTHS = (784, 500, 500, 2000, 10)
N_ROWS = 64 * BATCH
EPOCHS = {"pretraining": 3, "clustering": 4}
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
PARTS = ("forward", "weights", "inputs")
# Of a measurement of one product, in seconds.
SHORTEST, REPEATS = 0.05, 3


def now():
    """Clock that fits the number of threads."""
    if torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()


def seconds_of(function):
    """Time of a call: the least of some means."""
    function()
    best = math.inf
    for _ in range(REPEATS):
        start, calls = now(), 0
        while (spent := now() - start) < SHORTEST:
            function()
            calls += 1
        best = min(best, spent / calls)
    return best


def operations(layer):
    """Multiplications and additions of one product of a layer on a batch."""
    return 2 * BATCH * math.prod(layer)


def layers_of(widths):
    """Inputs and outputs of each layer."""
    return list(itertools.pairwise(widths))


ENCODER = layers_of(WIDTHS)
BOTH = ENCODER + layers_of(WIDTHS[::-1])


def measured_products(layer, dtype):
    """Seconds of the three products of a layer, laid out as torch lays them out."""
    n_in, n_out = layer
    x, weights = torch.randn(BATCH, n_in).to(dtype), torch.randn(n_out, n_in).to(dtype)
    gradient = torch.randn(BATCH, n_out).to(dtype)
    with torch.no_grad():
        return {
            "forward": seconds_of(lambda: linear(x, weights)),
            "weights": seconds_of(lambda: gradient.t() @ x),
            "inputs": seconds_of(lambda: gradient @ weights),
        }


def products_of(layers, training=True):
    """Layer and part of each product of a step; nothing wants the rows' gradient."""
    if not training:
        return [(layer, "forward") for layer in layers]
    every = list(itertools.product(layers, PARTS))
    every.remove((layers[0], "inputs"))
    return every


def adam_seconds(layers):
    """Time of a step of the optimizer that the estimators take by default."""
    shapes = [(n_out, n_in) for n_in, n_out in layers]
    shapes += [(n_out,) for _, n_out in layers]
    weights = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    return seconds_of(torch.optim.Adam(weights, fused=True).step)


class EpochClock(Callback):
    """Collects the time of each epoch by the kind of net; copies share the list."""

    marks: list = []

    def on_epoch_begin(self, net, **kwargs):
        self.start = now()

    def on_epoch_end(self, net, **kwargs):
        updated = "label_change" in net.history[-1]
        self.marks.append((type(net).__name__, now() - self.start, updated))


def epochs_of_a_fit(X, precision):
    """Fit DEC; return it, and the kind of net, time and update of each epoch."""
    autoencoder = Autoencoder(
        WIDTHS[1:-1],
        WIDTHS[-1],
        max_epochs=EPOCHS["pretraining"],
        batch_size=BATCH,
        training=Training(precision=precision, callbacks=[EpochClock()]),
        random_state=0,
    )
    dec = DECClustering(
        N_CLUSTERS,
        encoder=autoencoder,
        max_epochs=EPOCHS["clustering"],
        batch_size=BATCH,
        tol=0,
        training=Training(callbacks=[EpochClock()]),
        random_state=0,
    )
    EpochClock.marks.clear()
    return dec.fit(X), list(EpochClock.marks)


def per_epoch(marks, kind):
    """Mean time of an epoch of a kind of net, and how often it updates a target."""
    own = [(spent, updated) for name, spent, updated in marks if name == kind]
    # The first epoch of a process loads parts of torch.
    own = own[1:]
    share = statistics.mean(updated for _, updated in own)
    return statistics.mean(spent for spent, _ in own), share


def phases(X, precision):
    """Name, time, products with their number, and layers that Adam steps on."""
    steps = math.ceil(len(X) / BATCH)
    dec, marks = epochs_of_a_fit(X, precision)
    both, encoder = products_of(BOTH), products_of(ENCODER)
    assigning = products_of(ENCODER, training=False)
    yield (
        "pretraining epoch",
        per_epoch(marks, "ReconstructionNet")[0],
        [(both, steps)],
        BOTH,
    )
    yield (
        "teaching epoch",
        per_epoch(marks, "TeachingNet")[0],
        [(both, steps)],
        BOTH,
    )
    spent, share = per_epoch(marks, "DECNet")
    counted = [(encoder, steps), (assigning, steps * share)]
    yield "DEC epoch", spent, counted, ENCODER
    # Whatever the precision of training, prediction is in float32.
    if precision == "float32":
        spent = seconds_of(lambda: dec.predict(X))
        yield "predict", spent, [(assigning, steps)], []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--precision", nargs="+", choices=DTYPES, default=list(DTYPES))
    add_out(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    clock = "processor time" if options.threads == 1 else "time by the clock"
    print(f"torch {torch.__version__}, {options.threads} threads, {clock}\n")
    products = {
        precision: {
            (layer, part): spent
            for layer in BOTH
            for part, spent in measured_products(layer, DTYPES[precision]).items()
        }
        for precision in options.precision
    }
    rates = {
        (precision, part): {
            f"{layer[0]} to {layer[1]}": operations(layer) / spent[layer, part] / 1e9
            for layer in BOTH
        }
        for precision, spent in products.items()
        for part in PARTS
    }
    print(f"GFLOP/s\n\n{pd.DataFrame(rates).round().to_markdown()}\n", flush=True)
    X, rows = pixel_like(N_ROWS, WIDTHS[0]), []
    adam = {len(layers): adam_seconds(layers) for layers in (BOTH, ENCODER)}
    for precision, spent in products.items():
        for name, seconds, groups, trained in phases(X, precision):
            work = sum(
                count * operations(layer) for own, count in groups for layer, _ in own
            )
            least = sum(count * spent[own] for group, count in groups for own in group)
            row = {"data": "-".join(map(str, WIDTHS)), "kind": "phase", "method": name}
            row |= {"parameters": f"--precision {precision}", "seed": 0}
            row |= {"seconds": seconds, "gflop": work / 1e9, "products_seconds": least}
            row["adam_seconds"] = adam.get(len(trained), 0.0) * groups[0][1]
            row |= {"gflop_a_second": work / seconds / 1e9, "reached": least / seconds}
            rows.append(row | {"machine": machine(options.threads)})
    print(pd.DataFrame(rows).round(2).to_markdown(index=False))
    for (precision, part), by_layer in rates.items():
        about = {"kind": "product", "method": part, "machine": rows[0]["machine"]}
        about["parameters"] = f"--precision {precision}"
        for layer, rate in by_layer.items():
            rows.append(about | {"data": layer, "gflop_a_second": rate})
    append(options.out, rows)


if __name__ == "__main__":
    main()
