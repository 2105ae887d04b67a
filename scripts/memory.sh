#!/bin/sh
# Measures the memory that loading a model takes, relative to the size of its weights.
#
#   scripts/memory.sh [mar-b | mar-l | mar-h] [f32 | bf16 | f16]
#
# mar-h (942 million parameters, the default) needs 4.5 GB in f32.
#
# The weights are zeros in a sparse file, which takes no disk space. Fails if memory exceeds 1.15 times the size of the weights.
set -eu

cd "$(dirname "$0")/.."
GTR_MEMORY_SIZE=${1:-mar-h} GTR_MEMORY_PRECISION=${2:-f32} cargo test --quiet --release -p gtr-backends --test conformance -- \
    --ignored --exact memory::loading --nocapture
