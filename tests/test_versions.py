"""What may go with another version of scikit-learn stands in one file."""

import ast
from pathlib import Path

import skdeepcluster
from skdeepcluster import _sklearn

PACKAGE = Path(skdeepcluster.__file__).parent


def private_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "sklearn"
        ):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if any(part.startswith("_") for part in full.split(".")):
                    yield full


def test_private_parts_of_sklearn_are_imported_in_one_file():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if list(private_imports(path))
    }
    assert found == {"_sklearn.py"}


def test_they_are_there():
    names = [name for name, value in vars(_sklearn).items() if callable(value)]
    assert {"Interval", "StrOptions", "HasMethods", "_fit_context"} <= set(names)
