#!/usr/bin/env bash
# Generates digits in four parts, kills one part with SIGKILL at a random time, resumes it, merges all parts, and compares the result
# byte for byte with that of one process: as a folder of PNG files, and as a .npz file, which NumPy then opens.
#
#   scripts/shards.sh [IMAGES] [FLAGS OF SAMPLE...]
#
# Default: 1,000 images. GTR_CLI is the path of the program; without it, it is built. If python3 has no NumPy, it is
# installed into a virtual environment in the target folder.
set -euo pipefail
cd "$(dirname "$0")/.."

images=${1:-1000}
[ $# -gt 0 ] && shift
target=${CARGO_TARGET_DIR:-target}
if [ -z "${GTR_CLI:-}" ]; then
  cargo build --quiet --locked -p gtr-cli
  GTR_CLI=$target/debug/gtr-cli
fi
program=$(realpath "$GTR_CLI")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sample() { "$program" sample --classes balanced --count "$images" "${flags[@]}" "$@"; }
flags=("$@")
finished() { find "$work/parts" -name '[0-9]*.png' 2>/dev/null | wc -l; }

echo "one process:"
sample --out "$work/whole" | sed "s|$work/||"

echo "four parts, part 2 killed in the middle:"
for part in 0 1 3; do sample --shard "$part/4" --out "$work/parts" | sed "s|$work/||"; done
others=$(finished)
# Not with the function `sample`, so that the background process is the program itself.
"$program" sample --classes balanced --count "$images" "${flags[@]}" --shard 2/4 --out "$work/parts" > /dev/null 2>&1 &
victim=$!
# A random position in the first half of the part.
wanted=$((others + 1 + RANDOM % (images / 8)))
while [ "$(finished)" -lt "$wanted" ] && kill -0 "$victim" 2> /dev/null; do sleep 0.01; done
kill -KILL "$victim" 2> /dev/null || { echo "part 2 ended before it was killed: use more images" >&2; exit 1; }
wait "$victim" 2> /dev/null || true
echo "killed after $(($(finished) - others)) of $((images / 4)) images"
if "$program" merge "$work/parts" 2> "$work/said"; then
  echo "merge accepted an incomplete part" >&2
  exit 1
fi
sed "s|$work/||" "$work/said"
sample --shard 2/4 --resume --out "$work/parts" | sed "s|$work/||"

echo "merged and compared:"
"$program" merge "$work/parts" --out "$work/merged" | sed "s|$work/||"
diff -r --exclude shards "$work/whole" "$work/merged"
"$program" merge "$work/parts" --out "$work/parts.npz" | sed "s|$work/||"
"$program" merge "$work/whole" --out "$work/whole.npz" | sed "s|$work/||"
cmp "$work/whole.npz" "$work/parts.npz"
echo "equal: $images PNG files with their labels, and the .npz of $(stat -c %s "$work/parts.npz") bytes"

python=python3
if ! "$python" -c 'import numpy' 2> /dev/null; then
  [ -x "$target/numpy/bin/python" ] || python3 -m venv "$target/numpy"
  python=$target/numpy/bin/python
  "$python" -c 'import numpy' 2> /dev/null || "$python" -m pip install --quiet --disable-pip-version-check numpy
fi
"$python" -c '
import sys, numpy
file, images = numpy.load(sys.argv[1]), int(sys.argv[2])
pixels, labels = file["arr_0"], file["arr_1"]
print("numpy", numpy.__version__, "arr_0", pixels.shape, pixels.dtype, "arr_1", labels.shape, labels.dtype)
assert pixels.shape == (images, 32, 32, 1) and pixels.dtype == numpy.uint8 and pixels.flags["C_CONTIGUOUS"]
assert labels.dtype == numpy.int64 and (labels == numpy.arange(images) % 10).all()
assert pixels.max() > pixels.min()
' "$work/parts.npz" "$images"
