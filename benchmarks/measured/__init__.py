"""Benchmarks in the form that asv wants, for regressions from commit to commit."""

import sys
from pathlib import Path

# What the other benchmarks have, data above all, is beside this folder.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
