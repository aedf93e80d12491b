#!/usr/bin/env bash
# scikit-learn 1.9.1: its callbacks are no parameters, yet clones share them, and nobody stops.
#
# Guess: callbacks that were set on an estimator are gone from its clone, as all is that is no
# parameter; a progress bar may be set on the step of a pipeline that takes longest; and a hook
# on_fit_task_end that returns True ends the iterations, as its docstring says.
# Seen: clone keeps the very same objects, so that one that counts counts for all clones. A bar on
# a step is refused with a TypeError when the pipeline is fitted, which wants it on itself. And
# LogisticRegression makes as many iterations whatever the hook returns.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-learn==1.9.1 rich==15.0.0
"$folder/venv/bin/python" - <<'PY'
import sklearn
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Enough:
    """Counts what ends, and wants no more of it."""

    ended = 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.ended += 1
        return True

    def teardown(self, estimator, context):
        pass


X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
enough = Enough()
model = LogisticRegression().set_callbacks(enough)
plain = LogisticRegression().fit(X, y).n_iter_[0]
told = clone(model).fit(X, y).n_iter_[0]
print(sklearn.__version__, "iterations", plain, told, "ended", enough.ended)
assert told == plain > 5 and enough.ended > plain

step = LogisticRegression().set_callbacks(ProgressBar())
try:
    make_pipeline(StandardScaler(), step).fit(X, y)
    refused = ""
except TypeError as error:
    refused = str(error)
print(refused)
assert "auto-propagated" in refused
PY
