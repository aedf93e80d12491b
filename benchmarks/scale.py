"""Rows past memory: fits and labels from a disk, under a cap of the operating system.

    python benchmarks/scale.py fit --rows 10000000            # a memory map of 4 GB
    python benchmarks/scale.py fit --rows 5000000 --parquet   # Parquet files, 2 GB
    python benchmarks/scale.py rate                           # seconds a row
    python benchmarks/scale.py sample                         # MNIST by max_samples

The rows are of 20 clusters on a bent surface of 10 dimensions in 100 columns, and are
written block by block. A fit runs in a process of its own, whose memory, other than
that of mapped files, can't grow by more than the cap after the imports.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _results import add_out, append

COLUMNS, CLUSTERS, DIMS = 100, 20, 10
BLOCK = 100_000
FIGURES = ("rows", "seconds", "cap_gigabytes", "accuracy", "nmi")


def made_blocks(n_rows):
    """Rows and their clusters, a block at a time; the same for every number of rows."""
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=2.5, size=(CLUSTERS, DIMS))
    bend = rng.normal(size=(DIMS, 40)), rng.normal(size=(40, COLUMNS)) / 6
    for start in range(0, n_rows, BLOCK):
        rng = np.random.default_rng([1, start])
        size = min(BLOCK, n_rows - start)
        truth = rng.integers(CLUSTERS, size=size)
        places = centers[truth] + rng.normal(size=(size, DIMS))
        rows = np.tanh(places @ bend[0] / 3) @ bend[1]
        rows += rng.normal(scale=0.3, size=rows.shape)
        yield start, rows.astype(np.float32), truth.astype(np.uint8)


def write_map(folder, n_rows):
    """Write rows as a memory map."""
    path = folder / f"rows-{n_rows}.npy"
    if not path.exists():
        shape = (n_rows, COLUMNS)
        rows = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        truth = np.empty(n_rows, np.uint8)
        for start, part, clusters in made_blocks(n_rows):
            rows[start : start + len(part)] = part
            truth[start : start + len(part)] = clusters
        rows.flush()
        np.save(folder / f"truth-{n_rows}.npy", truth)
    return path


def write_parquet(folder, n_rows):
    """Write rows as a folder of Parquet files."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / f"rows-{n_rows}.parquet"
    if not path.exists():
        path.mkdir()
        truth = np.empty(n_rows, np.uint8)
        for start, part, clusters in made_blocks(n_rows):
            table = pa.table({f"x{i}": part[:, i] for i in range(COLUMNS)})
            parquet.write_table(table, path / f"{start:09d}.parquet")
            truth[start : start + len(part)] = clusters
        np.save(folder / f"truth-{n_rows}.npy", truth)
    return path


class Counted:
    """Rows of a memory map that counts those that are read."""

    def __init__(self, rows):
        self.rows, self.read = rows, 0
        self.shape, self.dtype = rows.shape, rows.dtype

    def __getitem__(self, part):
        rows = np.array(self.rows[part])
        self.read += len(rows)
        return rows


def memory(name):
    """Memory of this process, in bytes, as the operating system counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def fit(path, cap, method, out):
    """Fit and label the rows of a file; print what it took, as JSON."""
    from skdeepcluster import DECClustering
    from skdeepcluster.graph import GraphClustering
    from skdeepcluster.metrics import clustering_accuracy

    if path.suffix == ".npy":
        X = Counted(np.load(path, mmap_mode="r"))
    else:
        import pyarrow.dataset

        X = pyarrow.dataset.dataset(path)
    # What the first fit loads isn't the rows' memory.
    warm = np.random.default_rng(0).normal(size=(300, COLUMNS)).astype(np.float32)
    DECClustering(2, random_state=0).fit(warm)
    before = memory("VmData")
    limit = int(before + cap * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    model = {"dec": DECClustering, "graph": GraphClustering}[method]
    start = time.perf_counter()
    model = model(CLUSTERS, random_state=0).fit(X)
    seconds = time.perf_counter() - start
    rows = len(model.labels_)
    truth = np.load(path.parent / f"truth-{rows}.npy")
    start = time.perf_counter()
    part = (
        np.load(path, mmap_mode="r")[:200_000]
        if isinstance(X, Counted)
        else X.head(200_000).to_pandas()
    )
    model.predict(part)
    result = {
        "rows": rows,
        "seconds": round(seconds),
        "seconds to label, by 200,000 rows": round(
            (time.perf_counter() - start) / 200_000 * rows
        ),
        "accuracy": round(clustering_accuracy(truth, model.labels_), 4),
        "added by limit, GB": cap,
        "peak resident, GB": round(memory("VmHWM") / 1e9, 2),
    }
    if isinstance(X, Counted):
        result["rows read, of all"] = round(X.read / rows, 2)
    print(json.dumps(result))
    row = dict.fromkeys(FIGURES) | {"data": path.name, "kind": "fit", "method": method}
    row |= {"seed": 0, "rows": rows, "seconds": float(seconds), "cap_gigabytes": cap}
    append(out, [row | {"accuracy": result["accuracy"]}])


def rate(folder, out):
    """Print seconds a row of predictions, by the number of rows."""
    from skdeepcluster import DECClustering

    most = 10_000_000
    X = np.load(write_map(folder, most), mmap_mode="r")
    model = DECClustering(CLUSTERS, random_state=0).fit(X[:10_000])
    for n_rows in (10_000, 100_000, 1_000_000, most):
        start = time.process_time()
        model.predict(X[:n_rows])
        seconds = time.process_time() - start
        print(f"| {n_rows:,} | {seconds / n_rows * 1e6:.1f} |", flush=True)
        row = dict.fromkeys(FIGURES) | {"data": "rows", "kind": "predict", "seed": 0}
        append(out, [row | {"method": "dec", "rows": n_rows, "cpu_seconds": seconds}])


def sample(methods, out):
    """Print the accuracy on MNIST by the number of rows that are learned from."""
    from _data import LOADERS
    from sklearn.metrics import normalized_mutual_info_score

    from skdeepcluster import DECClustering
    from skdeepcluster.graph import GraphClustering
    from skdeepcluster.metrics import clustering_accuracy

    X, y = LOADERS["mnist"]()
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    for max_samples in (5_000, 10_000, 20_000, 35_000, None):
        for method in methods:
            settings = {"max_samples": max_samples, "random_state": 0}
            if method == "dec":
                model = DECClustering(10, **settings)
            else:
                model = GraphClustering(10, **settings)
            start = time.perf_counter()
            labels = model.fit(X).labels_
            seconds = time.perf_counter() - start
            accuracy = clustering_accuracy(y, labels)
            nmi = normalized_mutual_info_score(y, labels)
            print(
                f"| {method} | {max_samples or len(X):,} | {accuracy:.3f} | {nmi:.3f} "
                f"| {seconds:.0f} |",
                flush=True,
            )
            row = {"data": "mnist", "kind": "sample", "method": method, "seed": 0}
            row |= {"rows": max_samples or len(X), "seconds": seconds}
            row |= {"accuracy": accuracy, "nmi": nmi}
            append(out, [dict.fromkeys(FIGURES) | row])


def main():
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fit", "rate", "sample"])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--parquet", action="store_true")
    parser.add_argument("--cap", type=float, default=1.0, help="GB")
    parser.add_argument("--methods", nargs="+", default=["dec", "graph"])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/skdeepcluster-rows"))
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    add_out(parser)
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    if arguments.of:
        fit(arguments.of, arguments.cap, arguments.methods[0], arguments.out)
    elif arguments.what == "rate":
        rate(arguments.folder, arguments.out)
    elif arguments.what == "sample":
        sample(arguments.methods, arguments.out)
    else:
        write = write_parquet if arguments.parquet else write_map
        path = write(arguments.folder, arguments.rows)
        size = sum(file.stat().st_size for file in [path, *path.glob("*")])
        print(f"{path.name}: {size / 1e9:.1f} GB", flush=True)
        for method in arguments.methods:
            command = [sys.executable, __file__, "fit", "--of", str(path)]
            command += ["--cap", str(arguments.cap), "--methods", method]
            command += ["--out", str(arguments.out)] if arguments.out else []
            subprocess.run(command, check=True, env=os.environ)


if __name__ == "__main__":
    main()
