"""Docstrings say what the signatures say."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from discovery import ESTIMATORS
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import skdeepcluster

# What numpydoc asks for and we don't: an extended summary, examples and references to
# others in every last method; "self : object" without a name, against scikit-learn's
# habit; verbs where nouns say it ("Cluster of each row."); capitals on names that have
# none ("k-means", "torch").
NOT_ASKED = {"ES01", "EX01", "SA01", "RT02", "SS02", "SS05", "PR08"}

# Of what isn't public, only that nothing it says is wrong.
WRONG = {"GL01", "GL07", "GL08", "PR02", "PR03", "PR05", "SS03", "SS06"}


def modules():
    names = [
        module.name
        for module in pkgutil.walk_packages(skdeepcluster.__path__, "skdeepcluster.")
    ]
    return {name: importlib.import_module(name) for name in ["skdeepcluster", *names]}


def members(cls):
    """Public methods that a class has from this package."""
    return {
        name: method
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if not name.startswith("_") and method.__module__.startswith("skdeepcluster")
    }


def defined():
    """Every class, function and method without an underscore, by its full name."""
    found = {}
    for module_name, module in modules().items():
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", 0) != module_name:
                continue
            if inspect.isfunction(value):
                found[f"{module_name}.{name}"] = value
            if inspect.isclass(value) and not issubclass(value, Exception):
                found[f"{module_name}.{name}"] = value
                for method in members(value).keys() & vars(value):
                    found[f"{module_name}.{name}.{method}"] = getattr(value, method)
    return dict(sorted(found.items()))


def public():
    """What the ``__all__`` of modules name, and methods."""
    found = {}
    for module_name, module in modules().items():
        if "._" in module_name:
            continue
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not callable(value):
                continue
            found[f"{module_name}.{name}"] = value
            if inspect.isclass(value):
                for method in members(value):
                    found[f"{module_name}.{name}.{method}"] = getattr(value, method)
    return found


DEFINED, PUBLIC = defined(), public()


@pytest.mark.parametrize("name", PUBLIC)
def test_public(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in NOT_ASKED]
    assert errors == []


@pytest.mark.parametrize("name", DEFINED)
def test_nothing_said_is_wrong(name):
    errors = [error for error in validate(name)["errors"] if error[0] in WRONG]
    assert errors == []


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_estimators_have_examples_references_and_attributes(cls):
    doc = inspect.getdoc(cls)
    for section in ("Parameters", "Attributes", "References", "Examples"):
        assert re.search(rf"^{section}\n-+$", doc, re.MULTILINE), section


def documented_defaults(value):
    """Text after "default=" of each parameter."""
    doc = FunctionDoc(value, doc=inspect.getdoc(value))
    return {
        name: match[1]
        for entry in doc["Parameters"]
        for name in re.split(r",\s*", entry.name)
        if (match := re.search(r"default=(.+)$", entry.type))
    }


def same(text, default):
    """Whether a documented default is the one of the signature."""
    if isinstance(default, float):
        return float(text) == default
    return text.replace("'", '"') == repr(default).replace("'", '"')


@pytest.mark.parametrize("name", DEFINED)
def test_defaults(name):
    value = DEFINED[name]
    documented = documented_defaults(value)
    entries = FunctionDoc(value, doc=inspect.getdoc(value))["Parameters"]
    names = {part for entry in entries for part in re.split(r",\s*", entry.name)}
    for parameter in inspect.signature(value).parameters.values():
        if parameter.name not in names:
            continue
        if parameter.default is inspect.Parameter.empty:
            assert parameter.name not in documented
        else:
            assert parameter.name in documented, parameter
            text = documented[parameter.name]
            assert same(text, parameter.default), (text, parameter)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_is_constrained(cls):
    assert set(cls._parameter_constraints) >= set(inspect.signature(cls).parameters)


@pytest.mark.parametrize(
    "name",
    [
        "cleaning",
        "explain",
        "images",
        "labelling",
        "metrics",
        "model_selection",
        "plotting",
        "tables",
        "topics",
    ],
)
def test_every_public_name_is_in_the_reference(name):
    page = Path(__file__).parents[1] / "docs" / "api.md"
    section = page.read_text().split(f"currentmodule:: skdeepcluster.{name}\n")[1]
    listed = re.findall(r"^   (\w+)$", section.split("```")[0], re.MULTILINE)
    module = importlib.import_module(f"skdeepcluster.{name}")
    assert sorted(listed) == sorted(module.__all__)


def test_something_is_found():
    assert len(PUBLIC) > 30
    assert len(DEFINED) > 100
