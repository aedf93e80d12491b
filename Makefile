PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Extras for users, without those of this file.
EXTRAS := compare,graph,interactive,manifold,plot,save,scale,tables

# Several processes, each with a thread: see tests/conftest.py.
PYTEST := -m pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test test-lowest test-latest lint types docs links snippets package

demo: $(VENV)/.installed-plot
	$(BIN)/python benchmarks/demo.py

test: $(VENV)/.installed-test
	SCIPY_ARRAY_API=1 $(BIN)/python $(PYTEST)

# In environments of their own: the oldest versions that are declared, and the newest.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python .ci/lowest.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install -q -c .venv-lowest/constraints.txt -e '.[test]'
	# Old versions use what new ones beside them deprecate.
	SCIPY_ARRAY_API=1 .venv-lowest/bin/python $(PYTEST) -W ignore::DeprecationWarning

test-latest:
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python -m pip install -q --upgrade -e '.[test]'
	SCIPY_ARRAY_API=1 .venv-latest/bin/python $(PYTEST)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.installed-dev
	$(BIN)/sphinx-build --fail-on-warning --keep-going docs docs/_build/html

# Whether the addresses in the pages still lead somewhere; needs a network.
links: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -q -b linkcheck -D plot_gallery=0 docs docs/_build/links

# The code of the pages that show some, as a reader would run it.
snippets: $(VENV)/.installed-dev
	$(BIN)/python .ci/snippets.py --rows 300 README.md $(wildcard docs/*.md)

# The archives to publish, and the wheel in an environment of its own: the first example
# of the README with what the wheel alone brings, then what its extras bring.
package: $(VENV)/.installed-dev
	rm -rf dist .venv-package
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/archives.py
	$(PYTHON) -m venv .venv-package
	.venv-package/bin/python -m pip install -q -c constraints.txt dist/*.whl
	.venv-package/bin/python -I .ci/snippets.py --first README.md
	.venv-package/bin/python -m pip install -q -c constraints.txt "$$(ls dist/*.whl)[$(EXTRAS)]"
	.venv-package/bin/python -I .ci/extras.py

# .installed-X: the package with its extra X, installed and not out of date.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
