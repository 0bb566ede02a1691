#!/usr/bin/env bash
# Everything that runs on a GPU, checked against the processor and timed beside others, in at most eight minutes:
#   bash benchmarks/gpu.sh [--keep] [--parts ridge states ...] [--device cpu --tiny]
# --keep archives the table as book/archive/bench/gpu.csv, with the card's name. --device cpu --tiny runs every line of
# it without a card. What is compared with is skipped, and named, where it is not installed; for multivae see
# benchmarks/bench_numbers.py.
set -e
cd "$(dirname "$0")/.."
test -x .venv/bin/python && PATH="$PWD/.venv/bin:$PATH"
exec timeout 480 python benchmarks/gpu.py "$@"
