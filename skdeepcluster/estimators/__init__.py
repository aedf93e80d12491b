"""The estimators, an algorithm a file."""
