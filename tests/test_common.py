"""The one contract: it holds for every public estimator, found by discovery."""

import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import skops.io
import torch
from discovery import (
    CLUSTERERS,
    ESTIMATORS,
    NEED_NETWORKS,
    OUTLIER_DETECTORS,
    TRANSFORMERS,
    brief_teaching,
    can_dispatch,
    fitted,
    settings_for,
    tiny,
    tiny_autoencoder,
    trained,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import SkipTest, parametrize_with_checks
from skorch.callbacks import Callback

from skdeepcluster import Autoencoder, DECClustering
from skdeepcluster.labelling import ClusterThenLabelClassifier

METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "score_samples",
    "decision_function",
)

every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
every_clusterer = pytest.mark.parametrize("cls", CLUSTERERS)
every_transformer = pytest.mark.parametrize("cls", TRANSFORMERS)


def outputs(estimator, X):
    """What each method that an estimator has says of the rows."""
    return {
        name: getattr(estimator, name)(X)
        for name in METHODS
        if hasattr(estimator, name)
    }


def assert_same_outputs(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_array_equal(actual[name], expected[name], err_msg=name)


def weights(estimator):
    model = trained(estimator)
    parts = [model.module_, getattr(model, "head_", None)]
    states = [part.state_dict() for part in parts if part is not None]
    return [value.cpu().numpy() for state in states for value in state.values()]


def bits(estimator, X):
    """All learned arrays and the outputs for ``X``, as bytes."""
    attributes = [*vars(trained(estimator)).values(), *vars(estimator).values()]
    learned = [value for value in attributes if hasattr(value, "tobytes")]
    arrays = [*weights(estimator), *learned, *outputs(estimator, X).values()]
    return b"".join(array.tobytes() for array in arrays)


def fit_bits(cls, X, **changes):
    with brief_teaching():  # in a process of its own as well
        return bits(fitted(tiny(cls, **changes), X), X)


@pytest.fixture(autouse=True)
def _brief_unless_slow(request):
    if request.node.get_closest_marker("slow") is None:
        request.getfixturevalue("short_teaching")


@pytest.fixture(scope="module")
def X(digits):
    return digits[:200]


@pytest.fixture(scope="module", params=ESTIMATORS)
def model(request, X):
    """A fitted instance of each estimator; tests don't change it."""
    with brief_teaching():
        return fitted(tiny(request.param), X)


# scikit-learn's own checks


def expected_failures(estimator):
    if not (type(estimator) in CLUSTERERS and hasattr(estimator, "predict_proba")):
        return {}
    reason = (
        "scikit-learn reads tags.classifier_tags, which is None, of a clusterer with "
        "predict_proba; test_sparse_formats does the rest of this check's work"
    )
    return dict.fromkeys(
        ["check_estimator_sparse_array", "check_estimator_sparse_matrix"], reason
    )


def run_check(check, estimator):
    # A few epochs of a tiny network may lose a cluster; test_validation asks for the
    # warning where it is due.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            check(estimator)
    except SkipTest as skipped:
        if "array" in str(skipped) and not can_dispatch():
            return
        pytest.fail(f"A check was skipped: {skipped}")


@parametrize_with_checks(
    [
        tiny(cls, max_epochs=1, encoder=tiny_autoencoder(max_epochs=1))
        for cls in ESTIMATORS
    ],
    expected_failed_checks=expected_failures,
)
def test_sklearn_checks(estimator, check):
    run_check(check, estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [cls() for cls in ESTIMATORS], expected_failed_checks=expected_failures
)
def test_sklearn_checks_with_defaults(estimator, check):
    run_check(check, estimator)


@every_estimator
@pytest.mark.parametrize("large_indices", [False, True])
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array])
def test_sparse_formats(cls, container, large_indices):
    rng = np.random.RandomState(0)
    dense = rng.uniform(size=(40, 3))
    dense[dense < 0.6] = 0
    expected = outputs(fitted(tiny(cls), dense), dense)
    if "predict_proba" in expected:
        assert expected["predict_proba"].shape == (40, 4)
        assert_allclose(expected["predict_proba"].sum(1), 1, rtol=1e-5)
    formats = ["csr", "csc", "coo"]
    if not large_indices:
        formats += ["dok", "lil", "dia", "bsr"]
    for name in formats:
        X = container(dense).asformat(name)
        if large_indices:
            for index in ("indices", "indptr", "row", "col"):
                if hasattr(X, index):
                    setattr(X, index, getattr(X, index).astype(np.int64))
        assert_same_outputs(outputs(fitted(tiny(cls), X), X), expected)


def test_every_estimator_is_found():
    assert Autoencoder in ESTIMATORS
    assert len(CLUSTERERS) >= 3
    assert len(OUTLIER_DETECTORS) >= 1
    assert {*CLUSTERERS, *OUTLIER_DETECTORS} <= {*ESTIMATORS}


# predictions


@pytest.mark.parametrize("cls", CLUSTERERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predict_on_training_data_is_labels(cls, dtype, digits):
    X = digits.astype(dtype)
    estimator = fitted(tiny(cls), X)
    assert_array_equal(estimator.predict(X), estimator.labels_)
    assert_array_equal(estimator.labels_, tiny(cls).fit_predict(X))


@pytest.mark.parametrize(
    "network",
    [
        {"hidden_units": (33,), "latent_dim": 5},
        {"hidden_units": (500, 500, 2000), "latent_dim": 10},
    ],
    ids=["small", "reference"],
)
@every_estimator
def test_rows_do_not_depend_on_each_other(cls, network, digits):
    autoencoder = Autoencoder(**network, max_epochs=0)
    changes = {"encoder": autoencoder, "max_epochs": 0, **network}
    estimator = fitted(tiny(cls, **changes), digits)
    expected = outputs(estimator, digits)
    for start, count in [(0, 1), (7, 1), (1, 3), (40, 33), (100, 1000)]:
        rows = slice(start, start + count)
        part = outputs(estimator, digits[rows])
        for name in part:
            assert_array_equal(part[name], expected[name][rows], err_msg=name)


def test_one_row(model, X):
    for name, result in outputs(model, X[:1]).items():
        assert len(result) == 1, name


@pytest.mark.parametrize(
    "cls", [cls for cls in CLUSTERERS if hasattr(cls, "inverse_transform")]
)
def test_centres_are_decoded(cls, X):
    model = fitted(tiny(cls), X)
    centers = getattr(model, "cluster_centers_", getattr(model, "means_", None))
    if centers is None:  # Its clusters are in an embedding of the latent space.
        return
    assert centers.shape[1] == model.transform(X[:1]).shape[1]
    decoded = model.inverse_transform(centers)
    assert decoded.shape == (len(centers), X.shape[1])
    assert np.isfinite(decoded).all()


# containers and types


VARIANTS = {
    "float64": lambda X: X.astype(np.float64),
    "uint8": lambda X: X.astype(np.uint8),
    "fortran": np.asfortranarray,
    "negative strides": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "csr_matrix": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc_matrix": sp.csc_matrix,
    "csc_array": sp.csc_array,
    "list": lambda X: X.tolist(),
}


def assert_fits_alike(cls, variant, X):
    expected, actual = fitted(tiny(cls), X), fitted(tiny(cls), variant)
    if cls in CLUSTERERS:
        assert_array_equal(actual.labels_, expected.labels_)
    if cls in TRANSFORMERS:
        latent = actual.transform(variant)
        assert_array_equal(latent.astype(np.float32), expected.transform(X))
    results = outputs(actual, variant)
    for name, value in outputs(expected, X).items():
        assert_allclose(results[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS)
@every_estimator
def test_containers_and_types_give_equal_results(cls, variant, X):
    assert_fits_alike(cls, VARIANTS[variant](X), X)


@every_estimator
def test_read_only_memmap(cls, X, tmp_path):
    path = tmp_path / "X.dat"
    X.tofile(path)
    memmap = np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)
    assert_fits_alike(cls, memmap, X)


@every_estimator
def test_shuffled_columns_are_refused(cls, X):
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(X.shape[1])])
    estimator = fitted(tiny(cls), frame)
    assert_array_equal(estimator.feature_names_in_, frame.columns)
    assert_same_outputs(outputs(estimator, frame), outputs(fitted(tiny(cls), X), X))
    shuffled = frame[frame.columns[::-1]]
    for name in METHODS:
        if hasattr(estimator, name):
            with pytest.raises(ValueError, match="feature names should match"):
                getattr(estimator, name)(shuffled)


@pytest.mark.parametrize(
    ("library", "frame_type"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)
@every_transformer
def test_set_output(cls, library, frame_type, X):
    estimator = tiny(cls).set_output(transform=library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        frame = estimator.fit_transform(X)
    assert isinstance(frame, frame_type)
    assert list(frame.columns) == list(estimator.get_feature_names_out())
    assert_array_equal(frame.to_numpy(), fitted(tiny(cls), X).transform(X))
    assert isinstance(estimator.transform(X[:3]), frame_type)


@every_transformer
def test_latent_rows_have_the_type_of_the_training_data(cls, X):
    wide = X.astype(np.float64)
    for rows, others, bytes_ in [
        (X, wide, X.astype(np.uint8)),
        (wide, X, X.astype(np.uint8)),
    ]:
        model = fitted(tiny(cls), rows)
        for each in (rows, others, bytes_, sp.csr_array(others)):
            assert model.transform(each).dtype == rows.dtype
        kmeans = KMeans(2, n_init=1, random_state=0).fit(model.transform(rows))
        pipeline = make_pipeline(FrozenEstimator(model), kmeans)
        assert_array_equal(pipeline.predict(others), kmeans.labels_)


@every_transformer
def test_feature_names_out(cls, X):
    model = fitted(tiny(cls), X)
    prefix = cls.__name__.lower()
    width = model.transform(X).shape[1]
    expected = [f"{prefix}{i}" for i in range(width)]
    assert list(model.get_feature_names_out()) == expected


# what fit must leave alone


@pytest.mark.parametrize("kind", ["string", "float"])
@every_estimator
def test_y_is_ignored(cls, kind, X):
    numbers = np.random.RandomState(0).normal(size=len(X))
    y = numbers if kind == "float" else np.where(numbers > 0, "up", "down")
    before = y.copy()
    estimator = fitted(tiny(cls), X, y)
    assert bits(estimator, X) == fit_bits(cls, X)
    if hasattr(estimator, "score"):
        assert estimator.score(X, y) == estimator.score(X)
    assert_array_equal(y, before)


@every_estimator
def test_dense_input_is_unchanged(cls, X):
    copy = X.copy()
    outputs(fitted(tiny(cls), copy), copy)
    assert_array_equal(copy, X)


@every_estimator
def test_sparse_input_is_unchanged(cls, X):
    # Indices that fall within a row, and one entry in two halves: canonical form would
    # need both mended.
    canonical = sp.csr_matrix(X)
    reverse = np.concatenate(
        [
            np.arange(end - 1, start - 1, -1)
            for start, end in zip(canonical.indptr, canonical.indptr[1:], strict=False)
        ]
    )
    messy = sp.csr_matrix(
        (canonical.data[reverse], canonical.indices[reverse], canonical.indptr),
        shape=canonical.shape,
    )
    before = messy.data.copy(), messy.indices.copy(), messy.indptr.copy()
    estimator = fitted(tiny(cls), messy)
    results = outputs(estimator, messy)
    for now, then in zip(
        (messy.data, messy.indices, messy.indptr), before, strict=True
    ):
        assert_array_equal(now, then)
    assert_same_outputs(results, outputs(fitted(tiny(cls), X), X))


class Listener(Callback):
    """Keeps what it hears, as careless callbacks do."""

    def __init__(self, heard=None):
        self.heard = heard

    def on_epoch_end(self, net, **kwargs):
        self.heard = self.net_ = net
        epochs_heard.append(net)


epochs_heard = []


@every_estimator
def test_parameters_are_unchanged(cls, X):
    listener = Listener()
    callbacks = [listener, ("named", Listener())]
    autoencoder = tiny_autoencoder(callbacks=callbacks)
    autoencoder_before = dict(vars(autoencoder))
    estimator = tiny(cls, callbacks=callbacks, encoder=autoencoder)
    before = dict(vars(estimator))
    epochs_heard.clear()
    fitted(estimator, X)
    assert len(epochs_heard) >= 2 * 3, "both copies hear each epoch"
    for name, value in before.items():
        assert getattr(estimator, name) is value, name
    assert vars(autoencoder) == autoencoder_before
    assert vars(listener) == {"heard": None}
    assert callbacks[0] is listener
    assert len(callbacks) == 2


def global_states():
    name, keys, *rest = np.random.get_state()
    return (
        name,
        keys.tobytes(),
        *rest,
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
    )


@pytest.mark.parametrize("seed", [0, None])
@every_estimator
def test_global_random_states_are_unmoved(cls, seed, X):
    before = global_states()
    estimator = fitted(tiny(cls, random_state=seed), X)
    outputs(estimator, X)
    if hasattr(estimator, "sample"):
        estimator.sample(3)
    assert global_states() == before
    assert torch.is_grad_enabled()


# determinism


@every_estimator
def test_a_seed_decides_every_bit(cls, X):
    expected = fit_bits(cls, X)
    np.random.seed(5)
    torch.manual_seed(5)
    random.seed(5)
    assert fit_bits(cls, X) == expected
    assert fit_bits(cls, X, random_state=1) != expected
    assert fit_bits(cls, X, random_state=None) != fit_bits(cls, X, random_state=None)
    from_instance = [
        fit_bits(cls, X, random_state=np.random.RandomState(0)) for _ in range(2)
    ]
    assert from_instance[0] == from_instance[1]


@every_estimator
def test_threads_give_the_same_bits(cls, X):
    expected = fit_bits(cls, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with ThreadPoolExecutor(4) as pool:
            models = list(pool.map(lambda _: tiny(cls).fit(X), range(8)))
    assert [bits(model, X) for model in models] == [expected] * 8


def test_processes_give_the_same_bits(X):
    # Workers and this process multiply matrices in one thread, for another count may
    # sum in another order.
    jobs = [joblib.delayed(fit_bits)(cls, X) for cls in ESTIMATORS]
    from_workers = joblib.Parallel(n_jobs=2)(jobs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        expected = [fit_bits(cls, X) for cls in ESTIMATORS]
    finally:
        torch.set_num_threads(threads)
    assert from_workers == expected


# saving


def through_pickle(estimator, path):
    path.write_bytes(pickle.dumps(estimator))
    return pickle.loads(path.read_bytes())


def through_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path)


def through_skops(estimator, path):
    skops.io.dump(estimator, path)
    untrusted = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith("skdeepcluster.") for name in untrusted), untrusted
    return skops.io.load(path, trusted=untrusted)


ROUND_TRIPS = [through_pickle, through_joblib, through_skops]


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
def test_round_trip_predicts_the_same(model, round_trip, X, tmp_path):
    loaded = round_trip(model, tmp_path / "file")
    assert_same_outputs(outputs(loaded, X), outputs(model, X))
    assert loaded.get_params().keys() == model.get_params().keys()
    assert trained(loaded).history_ == trained(model).history_
    refitted = fitted(clone(loaded), X)
    assert_same_outputs(outputs(refitted, X), outputs(model, X))


def test_a_file_that_is_mapped_predicts_the_same(model, X, tmp_path):
    joblib.dump(model, tmp_path / "file")
    loaded = joblib.load(tmp_path / "file", mmap_mode="r")
    # torch warns of arrays that can't be written to once in a process.
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        assert_same_outputs(outputs(loaded, X), outputs(model, X))
    finally:
        torch.set_warn_always(before)


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
@every_estimator
def test_a_file_holds_little_but_weights(cls, round_trip, X, tmp_path):
    network = {"hidden_units": (400, 400), "max_epochs": 1}
    autoencoder = tiny_autoencoder(**network)
    estimator = fitted(tiny(cls, encoder=autoencoder, **network), X)
    round_trip(estimator, tmp_path / "file")
    size = sum(array.nbytes for array in weights(estimator))
    assert (tmp_path / "file").stat().st_size <= 1.3 * size


@pytest.mark.parametrize("round_trip", ROUND_TRIPS)
@pytest.mark.parametrize("freeze", [lambda it: it, FrozenEstimator])
@pytest.mark.parametrize(
    "cls", [cls for cls in CLUSTERERS if settings_for(cls, encoder=None)]
)
def test_a_shared_network_is_saved_once(cls, freeze, round_trip, X, tmp_path):
    network = {"hidden_units": (400, 400), "max_epochs": 0}
    autoencoder = tiny_autoencoder(**network).fit(X)
    estimator = tiny(cls, encoder=freeze(autoencoder), init="k-means", **network)
    loaded = round_trip(fitted(estimator, X), tmp_path / "file")
    assert_same_outputs(outputs(loaded, X), outputs(estimator, X))
    refitted = fitted(clone(loaded), X)
    assert_same_outputs(outputs(refitted, X), outputs(estimator, X))
    assert loaded.module_ is not loaded.encoder.module_
    if loaded.module_.decoder is not None:
        size = sum(array.nbytes for array in weights(estimator))
        assert (tmp_path / "file").stat().st_size <= 1.3 * size


# devices


def device_of(estimator):
    return estimator.module_.shift.device.type


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_clusterer
class TestOnTheGPU:
    @pytest.fixture
    def autoencoder(self, X):
        return tiny_autoencoder(device="cuda", random_state=0).fit(X)

    def test_fits_and_clones_stay_there(self, cls, autoencoder, X):
        model = fitted(tiny(cls, encoder=autoencoder), X)
        assert device_of(model) == device_of(clone(model).encoder) == "cuda"
        assert_array_equal(model.predict(X), model.labels_)
        assert device_of(fitted(clone(model), X)) == "cuda"

    def test_searches_stay_there(self, cls, autoencoder, X):
        model = tiny(cls, encoder=autoencoder)
        name = "n_clusters" if settings_for(cls, n_clusters=1) else "max_embedded"
        grid = {name: [3, getattr(model, name)]}
        search = GridSearchCV(model, grid, cv=2, scoring=spread, error_score="raise")
        assert device_of(fitted(search, X).best_estimator_) == "cuda"

    def test_a_file_is_read_on_the_cpu(self, cls, autoencoder, X):
        model = fitted(tiny(cls, encoder=autoencoder), X)
        loaded = pickle.loads(pickle.dumps(model))
        assert device_of(loaded) == "cpu"
        assert_allclose(loaded.transform(X), model.transform(X), rtol=1e-3, atol=1e-3)
        assert (loaded.predict(X) == model.labels_).mean() > 0.98
        assert device_of(fitted(loaded, X)) == "cuda"


# searches


def spread(estimator, X, y=None):
    return -float(next(iter(outputs(estimator, X).values())).var())


@pytest.mark.parametrize(
    ("cls", "scoring"),
    [
        *((cls, None) for cls in ESTIMATORS if hasattr(cls, "score")),
        *((cls, spread) for cls in ESTIMATORS),
    ],
)
def test_grid_search_over_a_pipeline(cls, scoring, X):
    # A worker would teach heads for longer than this process.
    init = "random" if settings_for(cls, n_heads=1) else "k-means"
    pipeline = make_pipeline(StandardScaler(), tiny(cls, init=init))
    grid = {
        f"{cls.__name__.lower()}__{name}": values
        for name, values in settings_for(
            cls, latent_dim=[2, 3], n_clusters=[2, 3], random_state=[0, 1]
        ).items()
    }
    # Once in several processes: their start takes the most time.
    searches = [
        GridSearchCV(pipeline, grid, scoring=scoring, cv=2, n_jobs=n_jobs)
        for n_jobs in ((1, 2) if scoring else (1,))
    ]
    y = np.array(["odd", "even"])[np.arange(len(X)) % 2]
    for search in searches:
        fitted(search, X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    serial, *parallel = (search.cv_results_["mean_test_score"] for search in searches)
    for scores in parallel:
        assert_allclose(scores, serial, rtol=1e-3)
    best = searches[0].best_estimator_
    assert trained(best[-1]).module_ is not None
    for name, result in outputs(best, X).items():
        assert len(result) == len(X), name


@pytest.mark.parametrize("cls", [*ESTIMATORS, ClusterThenLabelClassifier])
def test_parts_that_are_none_are_set_and_searched_by_name(cls):
    model = cls()
    for name, make in cls._parts.items():
        inner = ("latent_dim", "max_samples", "n_clusters", "verbose")
        own = make().get_params()
        parameter = f"{name}__{next(each for each in inner if each in own)}"
        assert getattr(model, name) is None
        clone(model).set_params(**{parameter: 7})
        assert getattr(model, name) is None, "a clone shares nothing"
        model.set_params(**{parameter: 7})
        assert model.get_params()[parameter] == 7
        assert getattr(clone(model), name) is not None
    with pytest.raises(ValueError, match="Invalid parameter 'autoencoder'"):
        cls().set_params(autoencoder__latent_dim=5)


def test_the_latent_size_is_searched(X):
    search = GridSearchCV(
        DECClustering(4, init="k-means", max_epochs=1, random_state=0).set_params(
            encoder__hidden_units=(8,), encoder__max_epochs=2
        ),
        {"encoder__latent_dim": [2, 3], "training__optimizer": ["adam", "sgd"]},
        cv=2,
    ).fit(X)
    assert search.best_estimator_.transform(X).shape[1] in (2, 3)


@pytest.mark.parametrize("cls", NEED_NETWORKS)
def test_what_trains_a_network_alone_needs_one(cls, X):
    with pytest.raises(
        ValueError, match=f"encoder='passthrough' leaves {cls.__name__} no"
    ):
        tiny(cls, encoder="passthrough").fit(X)


@pytest.mark.parametrize("cls", [cls for cls in CLUSTERERS if cls not in NEED_NETWORKS])
def test_embeddings_need_no_network(cls):
    X, y = make_blobs(150, 6, centers=4, random_state=0)
    settings = {"encoder": "passthrough", "hidden_units": (64,), "max_epochs": 5}
    model = fitted(tiny(cls, **settings), X)
    assert adjusted_rand_score(y, model.labels_) > 0.9
    assert_array_equal(model.predict(X), model.labels_)
    assert "pretraining" not in model.history_
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.labels_)
    if hasattr(model, "inverse_transform"):
        assert_allclose(model.inverse_transform(model.transform(X)), X, rtol=1e-3)
    with pytest.raises(ValueError, match="no network to train"):
        model.pretrain(X)
