"""What the benchmarks compute from what they measure."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import limit
import peers
import quality
import regression
from _peer import METHODS


def result(method, seed=0, **changed):
    """One run as it is kept."""
    row = {
        "method": method,
        "seed": seed,
        "status": "ok",
        "accuracy": 0.5,
        "nmi": 0.25,
        "clusters": 10,
        "noise": 0.0,
        "seconds": 4.0,
        "processor_seconds": 3.0,
        "import_processor_seconds": 1.0,
        "base_megabytes": 100.0,
        "peak_megabytes": 150.0,
    }
    return {**row, **changed}


def cells(results, method, clock="seconds"):
    """Row of a method in the table, by the heads of its columns."""
    heads, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in peers.table(results, clock).splitlines()
    ]
    return dict(zip(heads, next(li for li in lines if li[0] == method), strict=True))


def test_methods_have_their_counterpart():
    for name, (environment, _, _) in METHODS.items():
        assert environment == "ours" or environment in peers.ENVIRONMENTS
        assert METHODS[peers.beside(name)][0] == "ours"
        if environment == "ours" and not name.endswith("-equal"):
            assert name in quality.ALONE or name in quality.SHARING
    assert peers.beside("clustpy-n2d-umap-equal") == "n2d-equal"
    assert peers.beside("evoc") == "dec"


def test_table_has_means_and_ratios_of_shared_seeds():
    results = [
        result("dec"),
        result("clustpy-dec", accuracy=0.2, seconds=40.0, peak_megabytes=200.0),
        # A seed of the peer's alone counts in its means but in no ratio.
        result("clustpy-dec", seed=1, accuracy=0.4, seconds=60.0, clusters=9),
    ]
    row = cells(results, "clustpy-dec")
    assert row["seeds"] == "2"
    assert row["ACC (worst)"] == "0.300 (0.200)"
    assert row["clusters"] == "9 10"
    assert row["seconds"] == "50.0"
    assert row["time ratio"] == "10.00 x dec"
    assert row["MB"] == "75"
    assert row["memory ratio"] == "2.00"
    assert cells(results, "dec")["time ratio"] == ""
    row = cells(results, "clustpy-dec", "processor_seconds")
    assert row["time ratio"] == "1.00 x dec"


def test_table_takes_the_last_of_equal_runs():
    results = [result("dec", accuracy=0.1), result("dec", accuracy=0.9)]
    row = cells(results, "dec")
    assert (row["seeds"], row["ACC (worst)"]) == ("1", "0.900 (0.900)")


@pytest.mark.parametrize("status", ["failed", "limit"])
def test_table_says_what_did_not_finish(status):
    bad = {"method": "clustpy-dec", "seed": 1, "status": status, "reason": "why"}
    results = [result("dec"), result("clustpy-dec"), bad]
    assert cells(results, "clustpy-dec")["ACC (worst)"] == f"{status} (1 of 2): why"


def test_estimates_are_marked():
    row = cells([result("clustpy-dec", status="estimated")], "clustpy-dec")
    assert row["ACC (worst)"].startswith("estimated")
    assert row["NMI"] == ""


def test_extrapolation_is_exact_where_time_is_linear():
    def spent(first, second):
        return 7.0 + 2.0 * first + 0.5 * second

    few = [spent(*epochs) for epochs in peers.FEW_EPOCHS]
    assert peers.extrapolated(few, (100, 150)) == pytest.approx(spent(100, 150))


def test_scores_leave_noise_out_of_the_clusters():
    found = peers.scores(np.array([0, 0, 1, 1]), np.array([3, 3, 5, -1]))
    assert found["clusters"] == 2
    assert found["noise"] == 0.25
    assert found["accuracy"] == 0.75


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="memory is read from Linux")
def test_a_run_tells_what_it_took_or_why_it_did_not_finish(tmp_path, digits):
    rows = tmp_path / "rows.npy"
    np.save(rows, digits[:100])
    request = {"method": "kmeans", "rows": str(rows), "seed": 0, "epochs": [1, 1]}
    done, labels = peers.run(sys.executable, {**request, "n_clusters": 4}, 1, 300)
    assert done["status"] == "ok"
    assert len(np.unique(labels)) == 4
    assert done["peak_megabytes"] >= done["base_megabytes"] > 0
    failed, labels = peers.run(sys.executable, {**request, "n_clusters": 101}, 1, 300)
    assert labels is None
    assert failed["status"] == "failed"
    assert "n_clusters" in failed["reason"]
    late, _ = peers.run(sys.executable, {**request, "n_clusters": 4}, 1, 0.01)
    assert late == {"status": "limit", "reason": "more than 0.01 s"}


def test_operations_of_a_step_are_those_of_the_layers():
    weights = 784 * 500 + 500 * 500 + 500 * 2000 + 2000 * 10
    forward = 2 * 256 * weights

    def total(products):
        return sum(limit.operations(layer) for layer, _ in products)

    assert total(limit.products_of(limit.ENCODER, training=False)) == forward
    first = 2 * 256 * 784 * 500
    assert total(limit.products_of(limit.ENCODER)) == 3 * forward - first
    assert total(limit.products_of(limit.BOTH)) == 6 * forward - first


def test_regressions_are_marked_beyond_a_tenth():
    assert regression.compared(2.0, None) == ""
    assert regression.compared(1.05, 1.0) == "1 (+5.0%)"
    assert regression.compared(1.5, 1.0) == "1 (+50.0%) !"
    assert regression.compared(0.5, 1.0) == "1 (-50.0%) !"
    assert regression.compared(0.5, 0.0) == "0"


def test_every_measurement_has_a_name_that_runs_it():
    names = list(regression.names())
    assert len(names) == len(set(names))
    assert {"Digits.time_fit.dec", "Predict.peakmem_rows"} <= set(names)
    assert regression.measure("Shapes.track_accuracy.varied") > 0.9
