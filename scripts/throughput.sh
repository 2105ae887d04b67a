#!/usr/bin/env bash
# Measures images per second of one process on all cores, and of one process per core with one thread each, for several batch sizes.
#
#   scripts/throughput.sh [IMAGES] [FLAGS OF SAMPLE...]
#
# Default: 256 digits. The time includes loading, encoding and writing. GTR_CLI is the path of the program; without it, a release build
# is made.
set -euo pipefail
cd "$(dirname "$0")/.."

images=${1:-256}
[ $# -gt 0 ] && shift
flags=(--classes balanced --count "$images" "$@")
cores=$(nproc)
if [ -z "${GTR_CLI:-}" ]; then
  cargo build --quiet --release --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/release/gtr-cli
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

one() { "$GTR_CLI" sample "${flags[@]}" --batch "$1" --out "$work/one-$1" > /dev/null; }
each() {
  local core children=()
  for ((core = 0; core < cores; core++)); do
    RAYON_NUM_THREADS=1 "$GTR_CLI" sample "${flags[@]}" --batch "$1" --shard "$core/$cores" --out "$work/each-$1" > /dev/null &
    children+=($!)
  done
  wait "${children[@]}"
}
rate() { # images per second of a command
  local start end
  start=$(date +%s%N)
  "$@"
  end=$(date +%s%N)
  awk -v images="$images" -v time="$((end - start))" 'BEGIN { printf "%.2f", images * 1e9 / time }'
}
echo "images per second, $images images, $cores cores"
echo "batch  one process  one per core"
for batch in 4 16 64; do
  printf '%5d  %11s  %12s\n' "$batch" "$(rate one "$batch")" "$(rate each "$batch")"
  diff -r --exclude shards --exclude labels.jsonl "$work/one-$batch" "$work/each-$batch"
done
