# Everything happens in .venv; nothing global is touched. `make demo` and `make test` set up what they need.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs results clean

.venv/demo.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev.stamp: .venv/demo.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

demo: .venv/demo.stamp  ## groups 1,797 scanned digits and names the page to open
	$(BIN)/python -m coterie.cli.demo --out demo

test: .venv/dev.stamp  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -q

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/dev.stamp  ## builds docs/_build/html; any warning fails
	$(BIN)/sphinx-build -W -b html docs docs/_build/html

results: .venv/dev.stamp  ## writes every generated page, table and plot of the docs anew, out of the committed JSON
	$(BIN)/python benchmarks/render_all.py

clean:
	rm -rf demo docs/_build .mypy_cache .pytest_cache .ruff_cache
