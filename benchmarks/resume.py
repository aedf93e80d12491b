"""Kill fits at random moments, let them go on, and compare with undisturbed ones.

    python benchmarks/resume.py [--kills 50] [--seed 0]

Every fit runs in a process of its own and is killed by SIGKILL after a random time,
again and again until it ends; the bits of what it learned are compared with those of a
fit that nothing stopped. Prints a table in Markdown.
"""

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from _results import add_out, append

NAMES = ("DECClustering", "IDECClustering", "VaDEClustering", "Autoencoder")


def fit(name: str, folder: str | None) -> str:
    """Checksum of all that a small fit learns; says when it begins."""
    from sklearn.datasets import load_digits

    import skdeepcluster

    print("begins", flush=True)
    X = load_digits().data[:400].astype(np.float32)
    small = {"max_epochs": 15, "batch_size": 64, "random_state": 0}
    network = skdeepcluster.Autoencoder((32,), 4, noise=0.1, **small)
    if name == "Autoencoder":
        model = network.set_params(training__checkpoint=folder)
    else:
        model = getattr(skdeepcluster, name)(
            5,
            encoder=network,
            training=skdeepcluster.Training(checkpoint=folder),
            **small,
        )
        if name != "VaDEClustering":
            model.set_params(tol=0.0, update_interval=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X)
    checksum = hashlib.sha256()
    for module in (model.module_, getattr(model, "head_", None)):
        for value in module.state_dict().values() if module is not None else ():
            checksum.update(value.numpy().tobytes())
    for phase, epochs in model.history_.items():
        checksum.update(repr((phase, [row["train_loss"] for row in epochs])).encode())
    checksum.update(getattr(model, "labels_", model.transform(X)).tobytes())
    return checksum.hexdigest()


def start(name: str, folder: str | None) -> subprocess.Popen:
    """Run a fit in a process of its own."""
    command = [sys.executable, __file__, "--fit", name, "--folder", folder or ""]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def undisturbed(name: str) -> tuple[str, float]:
    """Checksum of a fit that nothing stops, and the seconds that it takes."""
    process = start(name, None)
    process.stdout.readline()
    began = time.perf_counter()
    checksum = process.stdout.readline().strip()
    process.wait()
    return checksum, time.perf_counter() - began


def disturbed(name: str, kills: int, seconds: float, rng: np.random.Generator):
    """Kill a fit and let it go on, in folder after folder.

    Returns
    -------
    kills, fits, states : int
        Kills, fits that ended, and kills after which there was something to go on from.
    checksums : set of str
        Of all the fits that ended.
    """
    done = fits = states = 0
    checksums = set()
    while done < kills or not checksums:
        with tempfile.TemporaryDirectory() as folder:
            while True:
                process = start(name, folder)
                process.stdout.readline()
                # A fit is over after some kills, each of which comes early or late.
                wait = rng.uniform(0, seconds) if done < kills else np.inf
                try:
                    out, _ = process.communicate(timeout=min(wait, 600))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.communicate()
                    done += 1
                    states += any(Path(folder).glob("*.state"))
                else:
                    fits += 1
                    checksums.add(out.strip())
                    break
    return done, fits, states, checksums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", choices=NAMES)
    parser.add_argument("--folder")
    add_out(parser)
    settings = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if settings.fit:
        print(fit(settings.fit, settings.folder or None))
        return
    rng = np.random.default_rng(settings.seed)
    print(
        "| estimator | seconds | kills | with a state | fits that ended | all equal |"
    )
    print("|---|---|---|---|---|---|")
    for name in NAMES:
        expected, seconds = undisturbed(name)
        done, fits, states, found = disturbed(name, settings.kills, seconds, rng)
        equal = "yes" if found == {expected} else "**no**"
        cells = name, f"{seconds:.1f}", done, states, fits, equal
        print("|", " | ".join(map(str, cells)), "|", flush=True)
        row = {"data": "digits, 400 rows", "method": name, "seed": settings.seed}
        row |= {"seconds": seconds, "kills": done, "states": states, "fits": fits}
        append(settings.out, [row | {"equal": int(found == {expected})}])


if __name__ == "__main__":
    main()
