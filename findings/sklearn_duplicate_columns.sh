#!/usr/bin/env bash
# scikit-learn 1.9.1 with pandas 3.1.1: a data frame with two columns of one name is refused.
#
# Guess: StandardScaler takes such a frame, as it always has; names are compared at predict, and
# two that are equal make no difference to that.
# Seen: fit raises narwhals.exceptions.DuplicateError, a ValueError: "Expected unique column
# names", in every estimator that validates a frame. 1.8.0 fits it without a word. Joins and CSV
# files with repeated heads make such frames; their values are taken where names don't count.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
program="$folder/program.py"
cat > "$program" <<'PY'
import sys

import pandas as pd
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]], columns=["a", "a"])
found = []
for estimator in (StandardScaler(), LogisticRegression()):
    try:
        estimator.fit(frame, [0, 1, 1])
        found.append("fitted")
    except ValueError as error:
        found.append(type(error).__name__)
    StandardScaler().fit(frame.to_numpy())
print(sklearn.__version__, found)
assert found == [sys.argv[1]] * 2
PY
for pinned in 1.8.0:fitted 1.9.1:DuplicateError; do
    python3 -m venv "$folder/venv-${pinned%:*}"
    "$folder/venv-${pinned%:*}/bin/pip" install -q "scikit-learn==${pinned%:*}" pandas==3.1.1
    "$folder/venv-${pinned%:*}/bin/python" "$program" "${pinned#*:}"
done
