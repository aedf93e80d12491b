"""Time of an epoch of the autoencoder in one process and in several of this machine.

    SKDEEPCLUSTER_DATA=... python benchmarks/processes.py [--rows 20000]
        [--batch-size 256] [--epochs 4]

Every line is a start of torchrun on rows of MNIST, with so many processes of so many
threads each; all are repeated, for other work on the machine disturbs them. Prints a
table in Markdown: the fewest wall and processor seconds of an epoch, those of one
process, and the last loss, which rounding makes differ.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from _data import mnist
from _results import add_out, append, machine, parameters
from skorch.callbacks import Callback

from skdeepcluster import Autoencoder, distributed

STARTS = ((1, 1), (1, 2), (2, 1))


class Clock(Callback):
    """Notes wall and processor seconds of each epoch."""

    def on_train_begin(self, net, **kwargs):
        spans.clear()

    def on_epoch_begin(self, net, **kwargs):
        self.begun_ = time.perf_counter(), time.process_time()

    def on_epoch_end(self, net, **kwargs):
        wall, processor = self.begun_
        spans.append((time.perf_counter() - wall, time.process_time() - processor))


spans = []


def train(rows, batch_size, epochs):
    """Train, and tell the least seconds of an epoch and the last loss."""
    network = Autoencoder(
        batch_size=batch_size,
        max_epochs=epochs,
        precision="float32",
        random_state=0,
        callbacks=[Clock()],
    ).fit(mnist()[0][:rows])
    loss = network.history_["pretraining"][-1]["train_loss"]
    return [*map(min, zip(*spans, strict=True)), loss]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    add_out(parser)
    options = parser.parse_args()
    if options.train:
        result = train(options.rows, options.batch_size, options.epochs)
        if distributed.rank() == 0:
            print(json.dumps(result))
        return
    print("| processes | threads of each | wall s | processor s of each | loss |")
    print("|---:|---:|---:|---:|---:|")
    results = {start: [] for start in STARTS}
    for start in STARTS * options.repeats:
        processes, threads = start
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(processes), *sys.argv, "--train"]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        said = subprocess.check_output(command, env=environment, text=True)
        results[start].append(json.loads(said))
    for (processes, threads), measured in results.items():
        wall, processor, loss = map(min, zip(*measured, strict=True))
        print(
            f"| {processes} | {threads} | {wall:.2f} | {processor:.2f} | {loss:.5f} |"
        )
        row = {"data": "mnist", "kind": "epoch", "method": "Autoencoder", "seed": 0}
        row |= {"parameters": parameters(parser, options, "repeats")}
        row |= {"processes": processes, "seconds": wall, "loss": loss}
        row |= {"cpu_seconds": processor, "machine": machine(threads)}
        append(options.out, [row])


if __name__ == "__main__":
    main()
