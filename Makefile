# Two commands for a newcomer: `make book` and `make test`. Everything else is convenience.
STUDY ?= demo
DATA ?=
PYTHON ?= python3
JOBS ?= 2
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := book,maps,test,bench,hub,slurm
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: book test test-slow serve bench lint clean install study

book: study
	jupyter-book build . -W -n --keep-going
	@echo "The book: $(CURDIR)/_build/html/index.html   Look at it with: make serve"

