# One word a chore. Each word first sees to its own .venv, which is made from requirements.lock and made again
# only when the lock, pyproject.toml, the folder or the Python changes; otherwise nothing touches the network.
#   make run PYTHON=/path/to/python3.12     picks the interpreter
.POSIX:
SHELL = /bin/sh
PYTHON =
DIR =
VENV = .venv
PY = $(VENV)/bin/python
UV = $(VENV)/bin/uv
WORKERS = 2
EXTRAS = --extra dev --extra docs --extra peers --extra export
COMPILE = pip compile --quiet --no-annotate --no-header $(EXTRAS) pyproject.toml

.PHONY: help run test slow check bench gpu docs app conformance lock clean setup

help:
	@echo 'make run          simulate MarsLight-11 end to end; page and tables in results/marslight-11'
	@echo 'make test         every quick test, doctest and example'
	@echo 'make slow         the tests that take longer'
	@echo 'make check        style, types, floors'
	@echo 'make conformance  NONMEM dosing and SBML cases, where ../shared has them; DIR=folder for another suite'
	@echo 'make bench        speed as ratios against other engines, in one run; about an hour'
	@echo 'make gpu          the same tests on an NVIDIA device, where one answers, and how fast it is'
	@echo 'make docs         the manual, as pages in site/'
	@echo 'make app          open the pages under results/ on this machine'
	@echo 'make lock         resolve requirements.lock anew'
	@echo 'make clean        remove what the other words made (.venv and results/ stay)'
	@echo 'PYTHON=...        which Python 3.11, 3.12 or 3.13 to build .venv with'

setup:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh .ci/setup

run: setup
	@"$(PY)" -m twoarm run marslight-11

test: setup
	@MPLBACKEND=Agg "$(PY)" -m pytest -q -n $(WORKERS) -m "not slow and not gpu"

slow: setup
	@MPLBACKEND=Agg "$(PY)" -m pytest -q -n $(WORKERS) -m "slow and not gpu"

check: setup
	@"$(PY)" -m ruff check src tests examples benchmarks docs
	@"$(PY)" -m ruff format --check src tests examples benchmarks docs
	@"$(PY)" -m mypy
	@"$(VENV)/bin/lint-imports" --no-cache

conformance: setup
	@MPLBACKEND=Agg "$(PY)" -m pytest -q tests/conformance/test_nonmem_dosing.py
	@"$(PY)" tests/conformance/run.py --processes $(WORKERS) $(DIR)

bench: setup
	@for script in benchmarks/*.py; do echo "== $$script"; "$(PY)" "$$script" || exit 1; done

gpu: setup
	@"$(PY)" -m pytest -q tests/engine -m gpu
	@"$(PY)" benchmarks/gpu.py

docs: setup
	@"$(PY)" docs/build_reference.py
	@NO_MKDOCS_2_WARNING=1 "$(PY)" -m mkdocs build --strict --quiet --site-dir site
	@echo 'site/index.html'

app: setup
	@"$(PY)" -m twoarm app results

lock: setup
	@"$(PY)" -c 'import uv' 2>/dev/null || "$(PY)" -m pip install --quiet uv
	@mkdir -p build
	@"$(UV)" $(COMPILE) --python-version 3.11 --output-file build/oldest.txt
	@"$(UV)" $(COMPILE) --python-version 3.11 --universal --generate-hashes --constraint build/oldest.txt \
		--output-file requirements.lock
	@grep -c '==' requirements.lock

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf '{}' +
