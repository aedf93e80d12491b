"""What is loaded when: torch only for what needs it."""

import re
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


def test_a_fit_loads_no_part_of_the_compiler():
    # Where Ctrl-C would leave half of it.
    estimator = "skdeepcluster.Autoencoder((4,), 2, max_epochs=1)"
    before = f"import skdeepcluster; {estimator}"
    fitted = loaded_by(f"{before}.fit([[0.0], [1.0], [2.0]])")
    late = fitted - loaded_by(before)
    assert not [name for name in late if re.match(r"torch\._(dynamo|inductor)", name)]


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
