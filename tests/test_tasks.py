"""scikit-learn's own callbacks hear of a fit's phases and epochs."""

import io
import pickle

import numpy as np
import pytest
from discovery import CLUSTERERS, TRAINERS, fitted, tiny, tiny_autoencoder
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepcluster import DECClustering, DeepOutlierDetector
from skdeepcluster.graph import GraphClustering

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")


class Heard:
    """Notes what begins and ends; ends a kind of task after its first, if asked to."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.begun, self.ended = [], []
        self.set_up = self.torn_down = 0

    def setup(self, estimator, context):
        self.set_up += 1

    def on_fit_task_begin(self, estimator, context):
        self.begun.append((context.estimator_name, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.estimator_name, context.task_name))
        return context.task_name == self.stop_after

    def teardown(self, estimator, context):
        self.torn_down += 1

    def count(self, name):
        return sum(task == name for _, task in self.ended)


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


@pytest.mark.parametrize("cls", [*CLUSTERERS, *TRAINERS, DeepOutlierDetector])
def test_a_fit_is_told_and_stays_the_same(cls, X):
    heard = Heard()
    quiet = fitted(tiny(cls), X)
    model = tiny(cls).set_callbacks(heard)
    fitted(model, X)
    assert heard.set_up == heard.torn_down == 1
    assert heard.ended[-1] == (cls.__name__, "fit")
    assert sorted(heard.begun) == sorted(heard.ended)
    if hasattr(model, "history_"):
        epochs = sum(len(phase) for phase in model.history_.values())
        # Of several trainings, one is kept.
        assert heard.count("epoch") >= epochs > 0
    assert not [name for name in vars(model) if "callback_fit" in name]
    if hasattr(quiet, "labels_"):
        assert_array_equal(model.labels_, quiet.labels_)


def test_phases_have_names(X):
    heard = Heard()
    encoder = tiny_autoencoder(max_epochs=2)
    model = DECClustering(3, encoder=encoder, max_epochs=1, random_state=0)
    model.set_callbacks(heard).fit(X)
    names = [name for _, name in heard.ended if name != "epoch"]
    assert names == ["pretraining", "initial clusters", "teaching", "clustering", "fit"]


def test_a_phase_ends_where_a_callback_says_so(X):
    encoder = tiny_autoencoder(max_epochs=4)
    model = DECClustering(3, encoder=encoder, max_epochs=4, random_state=0)
    model.set_callbacks(Heard(stop_after="epoch")).fit(X)
    assert [len(phase) for phase in model.history_.values()] == [1, 1, 1]


def test_pipelines_and_searches_pass_them_on(X):
    heard = Heard()
    pipeline = make_pipeline(StandardScaler(), tiny(DECClustering))
    pipeline.set_callbacks(heard).fit(X)
    assert ("DECClustering", "clustering") in heard.ended
    heard = Heard()
    search = GridSearchCV(tiny(DECClustering), {"n_clusters": [2, 3]}, cv=2)
    search.set_callbacks(heard).fit(X)
    assert heard.count("clustering") == 5
    assert heard.set_up == heard.torn_down == 1


def test_a_graph_is_told_of(X):
    heard = Heard()
    GraphClustering(2).set_callbacks(heard).fit(X)
    assert heard.ended == [("GraphClustering", "fit")]


def test_a_fit_that_fails_ends_what_was_set_up(X):
    heard = Heard()
    model = tiny(DECClustering).set_params(n_clusters=100).set_callbacks(heard)
    with pytest.raises(ValueError, match="n_clusters"):
        model.fit(X)
    assert heard.set_up == heard.torn_down
    model.set_params(n_clusters=3).fit(X)


def test_clones_and_copies_keep_them(X):
    model = tiny(DECClustering).set_callbacks(Heard())
    assert clone(model)._skl_callbacks == model._skl_callbacks
    again = pickle.loads(pickle.dumps(fitted(model, X)))
    assert_array_equal(again.predict(X), model.labels_)


def test_a_progress_bar(X, monkeypatch):
    rich = pytest.importorskip("rich.console")
    shown = io.StringIO()
    monkeypatch.setattr("rich._console", rich.Console(file=shown, width=100))
    tiny(DECClustering).set_callbacks(callback.ProgressBar()).fit(X)
    assert "DECClustering - clustering" in shown.getvalue()
