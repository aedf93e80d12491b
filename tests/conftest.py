"""Settings that must hold before scipy and torch are imported, and shared data."""

import os
import sys

# scikit-learn skips its check of array API dispatch without it.
os.environ["SCIPY_ARRAY_API"] = "1"
# Threads that wait for each other at every small step stall a machine with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from discovery import brief_teaching
from sklearn.datasets import load_digits


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure open: pyplot warns of the twenty-first."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def digits():
    """1100 digits as float32, shared: the write flag is off."""
    X = load_digits().data[:1100].astype(np.float32)
    X.setflags(write=False)
    return X


@pytest.fixture(scope="session")
def digits_target():
    return load_digits().target[:1100]


@pytest.fixture
def short_teaching():
    with brief_teaching():
        yield
