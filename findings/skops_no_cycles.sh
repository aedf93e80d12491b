#!/usr/bin/env bash
# skops writes what several parts share once, and reads it as shared; but no object that
# leads back to itself, such as a parent and a child that know each other.
#
# Guess before: an object that occurs twice is one again after loading, by its identity
# in the file, and the same identity lets a circle through, as pickle's memo does.
#
# Seen with skops 0.16.0 and scikit-learn 1.9.1: an estimator that stands twice in a
# FeatureUnion takes room once and is one object again. A FunctionTransformer around a
# method of an object whose child refers to it, as layers of many models do to the model,
# ends in a RecursionError that names neither object nor attribute, alone and in a
# Pipeline; so does a list that holds itself. pickle writes all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q skops==0.16.0 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PYTHON'
import pickle

import numpy as np
import skops.io
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer


class Layer:
    def __init__(self, model):
        self.model = model


class Model:
    def __init__(self):
        self.layer = Layer(self)

    def encode(self, X):
        return np.asarray(X)


X = np.random.default_rng(0).normal(size=(2000, 500))
pca = PCA(50).fit(X)
union = skops.io.dumps(FeatureUnion([("first", pca), ("second", pca)]))
(_, first), (_, second) = skops.io.loads(union).transformer_list
assert first is second
assert len(union) < 1.5 * len(skops.io.dumps(pca))
print("shared parts stay shared:", len(skops.io.dumps(pca)), "and", len(union), "bytes")

around = FunctionTransformer(Model().encode)
circle = [1]
circle.append(circle)
for each in (around, make_pipeline(around), circle):
    assert len(pickle.dumps(each)) < 2000
    try:
        skops.io.dumps(each)
    except RecursionError as error:
        text = str(error)
    else:
        raise SystemExit("skops writes circles now")
    assert "layer" not in text and "Model" not in text
    print(type(each).__name__, "ends in RecursionError:", text)
PYTHON
