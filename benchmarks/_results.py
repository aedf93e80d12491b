"""Results of the benchmarks, as rows of the CSV files in the folder `results`."""

import csv
import os
import subprocess
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
# Every file has these columns, with the scores of its benchmark between them.
FIRST = ["data", "kind", "method", "parameters", "seed"]
LAST = ["clusters", "cpu_seconds", "commit", "machine"]
TEXT = dict.fromkeys([*FIRST, "clusters", "commit", "machine"], str)
# Options that columns hold, or that have no influence on a figure.
NAMED = {"data", "kind", "methods", "seeds", "first_seed", "out"}


def add_out(parser):
    """Add the file that rows are appended to; without one they are only printed."""
    parser.add_argument(
        "--out", type=Path, metavar="results/NAME.csv", help="file to append rows to"
    )


def parameters(parser, options, *left_out):
    """Options that aren't at their defaults, as they would be written."""
    words = []
    for name, value in vars(options).items():
        if name not in NAMED.union(left_out) and value != parser.get_default(name):
            words.append(f"--{name.replace('_', '-')}")
            words += value if isinstance(value, list) else [value] * (value is not True)
    return " ".join(map(str, words))


def commit():
    """Short name of the commit that is measured, marked where files differ from it."""

    def git(*words):
        said = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True)
        return said.stdout.strip()

    changed = git("status", "--porcelain", "--", "../skdeepcluster", "*.py")
    return git("rev-parse", "--short", "HEAD") + "-dirty" * bool(changed)


def machine(threads=None):
    """Model of the processor, and number of threads."""
    about = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    model = about.partition("model name")[2].partition("\n")[0].strip("\t :")
    threads = threads or os.environ.get("OMP_NUM_THREADS", os.cpu_count())
    return f"{model or os.uname().machine}, threads: {threads}"


def append(path, rows):
    """Append rows to a file, if there is one; the first of them makes its header."""
    if path is None or not rows:
        return
    about = {"commit": commit(), "machine": machine()}
    rows, new = [about | row for row in rows], not path.exists()
    scores = [name for name in rows[0] if name not in FIRST + LAST]
    heads = FIRST + scores + LAST if new else next(csv.reader(path.open()))
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, heads, lineterminator="\n")
        if new:
            writer.writeheader()
        for row in rows:
            numbers = {n: v for n, v in row.items() if isinstance(v, float)}
            texts = {n: f"{v:.6g}" if v == v else "" for n, v in numbers.items()}
            writer.writerow(row | texts)


def read(name):
    """Rows of a file, by its name in `results` or its path; none if there is none."""
    path = Path(name) if str(name).endswith(".csv") else HERE / f"results/{name}.csv"
    if not path.exists():
        return pd.DataFrame(columns=FIRST + LAST)
    return pd.read_csv(path, dtype=TEXT).fillna(dict.fromkeys(TEXT, ""))
