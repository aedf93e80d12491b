"""What is loaded when: torch only for what needs it."""

import subprocess
import sys

import pytest

import skdeepcluster


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import skdeepcluster; dir(skdeepcluster)",
        "from skdeepcluster.graph import GraphClustering; "
        "GraphClustering(2, n_init=1).fit_predict([[0], [1], [8], [9]])",
        "from skdeepcluster import cleaning, explain, images, metrics, plotting; "
        "from skdeepcluster import model_selection, tables, topics",
    ],
)
def test_torch_is_not_loaded_for_what_needs_no_network(statement):
    assert not {"torch", "skorch"} & loaded_by(statement)


def test_an_estimator_brings_torch():
    assert "torch" in loaded_by("from skdeepcluster import DECClustering")


def test_the_compiler_is_not_loaded_for_predictions():
    # The first optimizer does, for seconds.
    loaded = loaded_by("from skdeepcluster import DECClustering")
    assert "torch._dynamo" not in loaded


def test_a_ctrl_c_while_the_compiler_is_loaded_leaves_it_whole():
    loaded = loaded_by(
        "import threading, skdeepcluster\n"
        "estimator = skdeepcluster.Autoencoder((4,), 2, max_epochs=1)\n"
        "wait = threading.Thread.join\n"
        "def interrupted(thread, timeout=None):\n"
        "    threading.Thread.join = wait\n"
        "    raise KeyboardInterrupt\n"
        "threading.Thread.join = interrupted\n"
        "try:\n"
        "    estimator.fit([[0.0], [1.0], [2.0]])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
        "estimator.fit([[0.0], [1.0], [2.0]])\n"
        "import torch._dynamo.variables"
    )
    assert {"interrupted", "torch._dynamo"} <= loaded


def test_submodules_need_no_import_of_their_own():
    statement = "import skdeepcluster; skdeepcluster.metrics.clustering_accuracy"
    assert "skdeepcluster.metrics" in loaded_by(statement)


def test_all_estimators_are_named():
    assert skdeepcluster.__all__ == sorted(skdeepcluster._FILES)
    assert set(skdeepcluster.__all__) <= set(dir(skdeepcluster))
    for name in skdeepcluster.__all__:
        assert getattr(skdeepcluster, name).__name__ == name


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'KMeans'"):
        getattr(skdeepcluster, "KMeans")  # noqa: B009
