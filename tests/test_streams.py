"""Rows that are read a block at a time, and what dask makes of them."""

import logging
import os
import pickle
import subprocess
import sys
import textwrap
import warnings

import dask.array as da
import dask.dataframe as dd
import h5py
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
import scipy.sparse as sp
import zarr
from discovery import CLUSTERERS, ESTIMATORS, TRANSFORMERS, fitted, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import (
    Autoencoder,
    DECClustering,
    DeepOutlierDetector,
    Training,
    streams,
)
from skdeepcluster.graph import GraphClustering
from skdeepcluster.streams import apply_in_blocks, blocks

pytestmark = pytest.mark.usefixtures("short_teaching")

NAMES = [f"pixel {i}" for i in range(64)]


@pytest.fixture(scope="module")
def X(digits):
    return digits[:400]


@pytest.fixture
def small_blocks(monkeypatch):
    """Read few rows at a time."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 8 * 64 * 64)
    monkeypatch.setattr(streams, "LEAST_ROWS", 64)
    monkeypatch.setattr(streams, "MOST_ROWS", 64)


class Rows:
    """Rows of a user's own, which know how many were read."""

    def __init__(self, rows):
        self.rows, self.read = rows, 0
        self.shape, self.dtype = rows.shape, rows.dtype

    def __getitem__(self, part):
        assert isinstance(part, slice)
        self.read += part.stop - part.start
        return self.rows[part]


def on_disk(X, path):
    rows = np.memmap(path / "rows", X.dtype, "w+", shape=X.shape, order="F")
    rows[:] = X
    return rows


def in_hdf5(X, path):
    return h5py.File(path / "rows.h5", "w").create_dataset("X", data=X, chunks=(60, 64))


def of_parquet(X, path):
    frame = pd.DataFrame(X, columns=NAMES)
    for start in (0, 150):
        part = frame.iloc[start : start + 150 if start == 0 else None]
        table = pa.Table.from_pandas(part, preserve_index=False)
        pa.parquet.write_table(table, path / f"{start:03d}.parquet")
    return pa.dataset.dataset(path, format="parquet")


KINDS = {
    "own": lambda X, path: Rows(X),
    "own sparse": lambda X, path: Rows(sp.csr_array(X)),
    "memory map": on_disk,
    "hdf5": in_hdf5,
    "zarr": lambda X, path: zarr.array(X, chunks=(70, 30)),
    "arrow table": lambda X, path: pa.Table.from_pandas(pd.DataFrame(X, columns=NAMES)),
    "parquet": of_parquet,
    "dask": lambda X, path: da.from_array(X, chunks=(130, 40)),
    "dask frame": lambda X, path: dd.from_pandas(
        pd.DataFrame(X, columns=NAMES), npartitions=3
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_are_those_of_an_array(kind, X, tmp_path, small_blocks):
    rows = KINDS[kind](X, tmp_path)
    read = [part for _, part in blocks(rows)]
    dense = [part.toarray() if sp.issparse(part) else part for part in read]
    assert_array_equal(np.concatenate(dense), X)
    for max_samples in (None, 300):
        model = GraphClustering(5, n_init=2, max_samples=max_samples, random_state=0)
        expected = clone(model).fit(X)
        model.fit(rows)
        assert_array_equal(model.labels_, expected.labels_)
        assert_array_equal(model.predict(rows), model.labels_)
        shares = model.predict_proba(rows)
        assert_allclose(shares, expected.predict_proba(X), rtol=1e-5)
    named = kind in ("arrow table", "parquet", "dask frame")
    assert hasattr(model, "feature_names_in_") == named


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_estimator_takes_rows_by_slices(cls, X, small_blocks):
    model = fitted(tiny(cls), Rows(X))
    expected = fitted(tiny(cls), X)
    for method in ("predict", "transform", "predict_proba", "score_samples"):
        if hasattr(model, method):
            result = getattr(model, method)(Rows(X))
            assert_array_equal(result, getattr(expected, method)(X))


@pytest.mark.parametrize("cls", CLUSTERERS)
def test_a_sample_is_learned_from_and_all_are_labelled(cls, X, small_blocks):
    model = tiny(cls, max_samples=300)
    whole = fitted(clone(model), X)
    assert len(whole.labels_) == len(X)
    assert_array_equal(whole.predict(X), whole.labels_)
    sample = np.sort(np.random.default_rng(0).choice(400, 300, replace=False))
    alone = fitted(tiny(cls, max_samples=None), X[sample])
    assert_array_equal(whole.labels_[sample], alone.labels_)
    frame = fitted(clone(model), pd.DataFrame(X, columns=NAMES))
    assert_array_equal(frame.labels_, whole.labels_)
    assert list(frame.feature_names_in_) == NAMES
    for rows in (X.tolist(), pl.DataFrame(X)):
        assert_array_equal(fitted(clone(model), rows).labels_, whole.labels_)
    matrices = [
        fitted(clone(model), kind(X)).labels_ for kind in (sp.csr_array, sp.coo_array)
    ]
    assert_array_equal(*matrices)
    assert (matrices[0] == whole.labels_).mean() > 0.9


@pytest.mark.parametrize("cls", CLUSTERERS)
def test_rows_are_read_twice(cls, X, small_blocks):
    rows = Rows(X)
    model = fitted(tiny(cls, max_samples=300), rows)
    # Several labelings of all the rows take one more.
    assert rows.read == (2 + hasattr(model, "labelings_")) * len(X)


def test_a_checkpoint_of_a_sample_goes_on(X, tmp_path, small_blocks):
    model = tiny(DECClustering, max_samples=300, checkpoint=tmp_path)
    first = fitted(clone(model), X).labels_
    assert_array_equal(fitted(clone(model), Rows(X)).labels_, first)


def test_a_pretrained_network_sees_the_same_sample(X, small_blocks):
    model = tiny(DECClustering, init="k-means", max_samples=300)
    assert_array_equal(
        fitted(model.pretrain(X), X).labels_, fitted(clone(model), X).labels_
    )


def test_the_graph_of_a_sample_has_its_attributes_for_all_rows(X, small_blocks):
    graph = GraphClustering(5, n_init=2, max_samples=300, random_state=0).fit(X)
    assert len(graph.row_agreement_) == len(graph.leaf_labels_) == len(X)
    assert_array_equal(graph.cut(5), graph.labels_)
    assert len(np.unique(graph.with_n_clusters(3).labels_)) == 3
    noisy = GraphClustering(
        5, n_init=2, noise_ratio=1.2, max_samples=300, random_state=0
    ).fit(X)
    assert_array_equal(noisy.predict(X), noisy.labels_)
    assert (noisy.labels_ == -1).any()


def test_outliers_of_a_sample(X, small_blocks):
    rows = X.copy()
    rows[:5] = 1e4
    detector = tiny(
        DeepOutlierDetector,
        estimator=Autoencoder((16,), 3, training=Training(max_samples=300)),
    )
    assert (fitted(detector, Rows(rows)).predict(rows)[:5] == -1).all()
    assert detector.predict(rows).mean() > 0.7
    whole = clone(detector).fit(rows)
    assert_array_equal(detector.column_errors_, whole.column_errors_)
    for method in ("score_samples", "explain"):
        results = getattr(detector, method)
        assert_array_equal(results(Rows(rows)), results(rows))
        lazy = results(da.from_array(rows, chunks=(100, 64)))
        assert_array_equal(lazy.compute(), results(rows))


def test_few_rows_in_memory_are_read_at_once(X, monkeypatch):
    monkeypatch.setattr(streams, "blocks", None)
    tiny(Autoencoder).fit(X).transform(X)
    GraphClustering(3, n_init=2).fit(X).predict(X)


# errors


@pytest.mark.parametrize("model", [GraphClustering(3), tiny(Autoencoder)])
def test_bad_rows_far_in_are_refused(model, X, small_blocks):
    rows = X.copy()
    rows[399, 3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        clone(model).fit(Rows(rows))
    model = clone(model).fit(X)
    method = model.transform if hasattr(model, "transform") else model.predict
    with pytest.raises(ValueError, match="NaN"):
        method(Rows(rows))
    with pytest.raises(ValueError, match="5 features"):
        method(Rows(X[:, :5]))


def test_chunks_of_unknown_size_are_refused_with_the_fix(X):
    rows = da.from_array(X, chunks=(100, 64))
    rows = rows[rows[:, 0] >= 0]
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        GraphClustering(3).fit(rows)


def test_a_file_of_parquet_is_refused_with_the_fix(X, tmp_path):
    of_parquet(X, tmp_path)
    file = pa.parquet.ParquetFile(tmp_path / "000.parquet")
    with pytest.raises(TypeError, match=r"pyarrow\.dataset\.dataset"):
        GraphClustering(3).fit(file)


def test_no_rows_are_refused(X):
    model = GraphClustering(3, n_init=2).fit(X)
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        model.predict(Rows(X[:0]))


def test_few_rows_are_refused_as_ever(X):
    with pytest.raises(ValueError, match="minimum of 2"):
        GraphClustering(1).fit(Rows(X[:1]))
    with pytest.raises(ValueError, match="n_samples=3"):
        DECClustering(4).fit(Rows(X[:3]))
    for model in (
        DECClustering(4, training=Training(max_samples=3)),
        GraphClustering(4, max_samples=3),
    ):
        with pytest.raises(ValueError, match="max_samples=3 should be >= n_clusters=4"):
            model.fit(X)


# results elsewhere


@pytest.mark.parametrize("method", ["predict", "transform"])
def test_results_are_written_where_they_are_wanted(method, X, tmp_path, small_blocks):
    model = make_pipeline(StandardScaler(), tiny(DECClustering, init="k-means"))
    expected = getattr(fitted(model, X), method)(X)
    out = zarr.create_array(
        tmp_path / "out", shape=expected.shape, dtype=expected.dtype, chunks="auto"
    )
    assert apply_in_blocks(model, Rows(X), method=method, out=out) is out
    assert_array_equal(out[:], expected)
    with pytest.raises(ValueError, match="out has shape"):
        apply_in_blocks(model, Rows(X), method=method, out=np.empty(3))


def test_labels_of_a_capped_process(tmp_path):
    """More rows than the memory that may be added, on a disk."""
    script = f"""
        import resource
        import numpy as np
        from skdeepcluster import Autoencoder, DECClustering, Training
        from skdeepcluster.streams import blocks

        def held():
            with open("/proc/self/status") as status:
                found = [line for line in status if line.startswith("VmData")]
            return int(found[0].split()[1]) * 1024

        path, shape = {str(tmp_path / "rows")!r}, (400_000, 100)
        X = np.memmap(path, np.float32, "w+", shape=shape)
        rng = np.random.default_rng(0)
        for start, rows in blocks(X):
            group = np.arange(start, start + len(rows))[:, None] % 4
            rows[:] = 9 * (np.arange(100) % 4 == group) + rng.normal(size=rows.shape)
        network = Autoencoder((32,), 4, max_epochs=9)
        model = DECClustering(
            4,
            encoder=network,
            init="k-means",
            max_epochs=2,
            training=Training(max_samples=2000),
            random_state=0,
        )
        model.fit(X[:500])
        added = X.nbytes // 2
        resource.setrlimit(resource.RLIMIT_DATA, (held() + added,) * 2)
        labels = model.fit(X).labels_
        found = [np.unique(labels[group::4]) for group in range(4)]
        assert len(np.concatenate(found)) == len(np.unique(found)) == 4
        try:
            np.ones(X.nbytes, dtype=np.uint8)
        except MemoryError:
            raise SystemExit(0)
        raise AssertionError("the cap doesn't hold")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)


# dask


@pytest.mark.parametrize("cls", TRANSFORMERS)
def test_dask_is_answered_later(cls, X):
    model = fitted(tiny(cls), X)
    frame = fitted(tiny(cls), pd.DataFrame(X, columns=NAMES))
    for method in ("predict", "transform", "predict_proba", "score_samples"):
        if not hasattr(model, method):
            continue
        expected = getattr(model, method)(X)
        later = getattr(model, method)(KINDS["dask"](X, None))
        assert isinstance(later, da.Array)
        assert later.shape == expected.shape
        assert later.dtype == expected.dtype
        assert_array_equal(later.compute(scheduler="sync"), expected)
        later = getattr(frame, method)(KINDS["dask frame"](X, None))
        assert later.dtype == expected.dtype
        assert_array_equal(later.compute(scheduler="sync"), expected)


def test_nothing_is_computed_before_it_is_asked_for(X):
    model = GraphClustering(3, n_init=2).fit(X)
    rows = da.from_array(X, chunks=(100, 64)).map_blocks(pytest.fail, meta=X[:0])
    model.predict(rows)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            # A free port: another process of the tests may have a cluster as well.
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_of_processes_fits_labels_and_searches(client, X):
    rows = da.from_array(X, chunks=(100, 64))
    model = fitted(tiny(DECClustering, init="k-means"), rows)
    assert_array_equal(model.predict(rows).compute(), model.labels_)
    search = GridSearchCV(tiny(Autoencoder), {"latent_dim": [2, 3]}, cv=2)
    here = clone(search).fit(X).cv_results_["mean_test_score"]
    with joblib.parallel_backend("dask"), warnings.catch_warnings():
        # Of an array that isn't small, by dask.
        warnings.simplefilter("ignore", UserWarning)
        there = clone(search).fit(X).cv_results_["mean_test_score"]
    assert_array_equal(there, here)


def kill_once(rows, path):
    """End the process that reads these rows, the first time."""
    if not os.path.exists(path):
        with open(path, "w"):
            os._exit(1)
    return rows


def test_a_worker_that_is_killed_loses_nothing(client, X, tmp_path):
    rows = da.from_array(X, chunks=(100, 64))
    model = fitted(tiny(DECClustering, init="k-means"), X)
    path = str(tmp_path / "killed")
    deadly = rows.map_blocks(kill_once, path=path, meta=X[:0])
    assert_array_equal(model.predict(deadly).compute(), model.labels_)
    assert (tmp_path / "killed").exists()


# further rows


def test_partial_fit_learns_from_each_part(X):
    model = Autoencoder((32,), 3, random_state=0)
    scores = [model.partial_fit(X[i::4]).score(X) for i in range(4) for _ in range(5)]
    assert scores[-1] > scores[0]
    assert model.n_iter_ == len(model.history_["pretraining"]) == 20
    assert [row["epoch"] for row in model.history_["pretraining"]] == [*range(1, 21)]
    again = Autoencoder((32,), 3, random_state=0)
    for i in range(4):
        for _ in range(5):
            again.partial_fit(X[i::4])
    assert_array_equal(again.transform(X), model.transform(X))


def test_partial_fit_goes_on_as_an_epoch_of_fit_would(X):
    """One pass each over the same rows, with the optimizer's memory kept."""
    settings = {"lr": 1e-3, "batch_size": 400, "random_state": 0}
    whole = Autoencoder(
        (32,), 3, max_epochs=2, training=Training(callbacks=[flat()]), **settings
    ).fit(X)
    parts = Autoencoder((32,), 3, **settings).partial_fit(X).partial_fit(X)
    assert_allclose(parts.transform(X), whole.transform(X), rtol=1e-4, atol=1e-5)
    forgetful = pickle.loads(
        pickle.dumps(Autoencoder((32,), 3, **settings).partial_fit(X))
    ).partial_fit(X)
    assert not np.allclose(forgetful.transform(X), whole.transform(X), rtol=1e-4)


def flat():
    from skorch.callbacks import LRScheduler

    return LRScheduler("StepLR", step_size=100)


def test_partial_fit_goes_on_after_fit_and_heeds_new_settings(X):
    model = Autoencoder((16,), 3, max_epochs=2, random_state=0).fit(X)
    before = model.transform(X)
    model.set_params(lr=1e-12).partial_fit(X)
    assert_allclose(model.transform(X), before, atol=1e-4)
    assert model.n_iter_ == 3
    with pytest.raises(ValueError, match="5 features"):
        model.partial_fit(X[:, :5])
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(lr=1e30).partial_fit(X)
    assert_allclose(model.transform(X), before, atol=1e-4)
