#!/usr/bin/env bash
# skrub 0.11.0 with pandas 3.1.1: times a second apart come out as steps of 128 seconds.
#
# Guess: TableVectorizer keeps the time itself as "total_seconds", so that 512 rows a second
# apart have 512 values there.
# Seen: 5 values, 128 apart. The seconds since 1970 are 32-bit floats, of which neighbours are
# 128 apart since 2004 (64 before), and year, month, day and hour, the other columns at the
# default resolution="hour", are equal in all rows: no column that is made tells two times of the
# same two minutes apart, without a warning. Times of 2040 are 256 apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q skrub==0.11.0 pandas==3.1.1 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import pandas as pd
from skrub import TableVectorizer


def values(start):
    times = pd.DataFrame({"t": pd.date_range(start, periods=512, freq="s")})
    made = TableVectorizer().fit_transform(times)
    assert (made.drop(columns="t_total_seconds").nunique() == 1).all()
    return np.unique(made["t_total_seconds"])


for start, step in [("2003-06-01", 64), ("2020-06-01", 128), ("2040-06-01", 256)]:
    found = values(start)
    print(start, len(found), np.diff(found))
    assert len(found) <= 512 // step + 1
    assert (np.diff(found) == step).all()
PY
