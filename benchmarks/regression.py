"""Run the benchmarks of the folder `measured` without asv, which can run them too.

Every measurement is made in a process of its own. Seconds are divided by those of a
bare loop of torch in the same process, so that results of other machines and hours
compare. Without the name of a file the results are printed; with one that is there,
beside its earlier results.
"""

import argparse
import inspect
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from measured import fits

HERE = Path(__file__).resolve()
KINDS = ("time", "peakmem", "track")
# Change of a result beyond which a line is marked.
NOTABLE = 0.1


def names():
    """Each measurement: its class, method and parameter, joined by dots."""
    for name, group in inspect.getmembers(fits, inspect.isclass):
        if not issubclass(group, fits.Seldom):
            continue
        methods = [m for m in vars(group) if m.partition("_")[0] in KINDS]
        for method, value in itertools.product(methods, getattr(group, "params", [""])):
            yield ".".join([name, method, str(value)]).removesuffix(".")


def measure(name):
    """Do one measurement in this process, which has done nothing else."""
    group, method, *value = name.split(".")
    benchmark = getattr(fits, group)()
    values = [v for v in getattr(benchmark, "params", []) if str(v) == "".join(value)]
    if hasattr(benchmark, "setup"):
        benchmark.setup(*values)
    call = getattr(benchmark, method)
    if method.startswith("track_"):
        return float(call(*values))
    if method.startswith("peakmem_"):
        call(*values)
        return peak_megabytes()
    _, most, enough = benchmark.repeat
    spent = []
    while len(spent) < most and sum(spent) < enough:
        start = benchmark.timer()
        call(*values)
        spent.append(benchmark.timer() - start)
    return min(spent) / fits.bare_seconds()


def peak_megabytes():
    """Largest resident memory of this process, and not of the one that started it."""
    with open("/proc/self/status") as lines:
        line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def compared(result, earlier):
    """Cell that sets a result beside an earlier one."""
    if earlier is None:
        return ""
    if earlier == 0:
        return "0"
    change = result / earlier - 1
    mark = " !" if abs(change) > NOTABLE else ""
    return f"{earlier:.4g} ({change:+.1%}){mark}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the names to run")
    parser.add_argument("--results", type=Path, help="file to compare with and write")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    earlier = {}
    if options.results and options.results.exists():
        earlier = json.loads(options.results.read_text())
    print("| benchmark | result | before (change) | seconds in all |")
    print("|---|---|---|---|", flush=True)
    results = {}
    for name in names():
        if options.only not in name:
            continue
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, HERE, "--measure", name],
            env={
                "OMP_NUM_THREADS": "1",
                **os.environ,
                "PYTHONPATH": str(HERE.parent.parent),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        results[name] = json.loads(done.stdout.splitlines()[-1])
        cells = [
            name,
            f"{results[name]:.4g}",
            compared(results[name], earlier.get(name)),
            f"{time.perf_counter() - start:.1f}",
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
    if options.results:
        options.results.write_text(json.dumps({**earlier, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
