#!/usr/bin/env bash
# Generates digits in two parts on a file system without locks, ends one part with SIGHUP and the other with SIGUSR1, as Slurm does,
# resumes both, merges them, and compares the .npz byte for byte with that of one process.
#
#   scripts/no-locks.sh [IMAGES] [FLAGS OF SAMPLE...]
#
# Default: 64 images. GTR_CLI is the path of the program; without it, it is built. A preloaded library whose flock always
# fails simulates the missing locks. It needs a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

images=${1:-64}
[ $# -gt 0 ] && shift
flags=("$@")
if [ -z "${GTR_CLI:-}" ]; then
  cargo build --quiet --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/debug/gtr-cli
fi
program=$(realpath "$GTR_CLI")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/flock.c" << 'C'
#include <errno.h>
int flock(int file, int how) { (void)file; (void)how; errno = ENOLCK; return -1; }
C
cc -shared -fPIC -o "$work/flock.so" "$work/flock.c"

all=(sample --classes balanced --count "$images" --batch 1 "${flags[@]}")
finished() { { find "$work/parts" -name "[0-9]*.png" 2> /dev/null || true; } | wc -l; }
short() { sed "s|$work/||g"; }

echo "one process:"
"$program" "${all[@]}" --out "$work/whole.npz" | short

export LD_PRELOAD=$work/flock.so
part=0
for signal in HUP USR1; do
  before=$(finished)
  "$program" "${all[@]}" --shard "$part/2" --out "$work/parts" > /dev/null 2> "$work/said" &
  process=$!
  while [ "$(finished)" -lt $((before + images / 8)) ] && kill -0 "$process" 2> /dev/null; do sleep 0.01; done
  kill "-$signal" "$process" 2> /dev/null || { echo "part $part ended before the signal: use more images" >&2; exit 1; }
  code=0
  wait "$process" 2> /dev/null || code=$?
  echo "part $part: SIG$signal after $(($(finished) - before)) of $((images / 2)) images, exit code $code"
  short < "$work/said"
  "$program" "${all[@]}" --shard "$part/2" --out "$work/parts" --resume 2>&1 | short
  part=$((part + 1))
done
unset LD_PRELOAD

"$program" merge "$work/parts" --out "$work/parts.npz" | short
cmp "$work/whole.npz" "$work/parts.npz"
echo "equal: the .npz of $(stat -c %s "$work/parts.npz") bytes"
