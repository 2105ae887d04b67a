#!/bin/sh
# Type-checks the CUDA build without a CUDA toolkit and without a device, and lists the lines that this covers.
#
#   scripts/cuda-check.sh            check with a fake nvcc: all Rust code, no kernels
#   scripts/cuda-check.sh clippy     the same with clippy; warnings are errors
#
# Needs gcc, ar and sed. Builds in target/cuda-check (or $CUDA_CHECK_TARGET), separate from other builds, because cargo would
# reuse the empty kernels as real ones. With a toolkit, `cargo build --release --features cuda` builds the program. A program
# built with CUDA needs the CUDA 13 libraries to start.
#
# The check shows that the code compiles against candle's CUDA backend. It does not show that it links or computes correctly.
set -eu

cd "$(dirname "$0")/.."
command=${1:-check}
case "$command" in
check) set -- ;;
clippy) set -- -- -D warnings ;;
*) echo "usage: $0 [check | clippy]" >&2 && exit 2 ;;
esac

packages='-p gtr-backends'
if grep -q '^cuda = ' gtr-cli/Cargo.toml; then packages="$packages -p gtr-cli"; fi
PATH=$PWD/scripts/cuda:$PATH
CARGO_TARGET_DIR=${CUDA_CHECK_TARGET:-$PWD/target/cuda-check}
CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
export PATH CARGO_TARGET_DIR CUDA_COMPUTE_CAP

# Rebuild the packages of the workspace, so that the log lists them.
for package in gtr-backends gtr-cli; do cargo clean --quiet -p "$package" 2>/dev/null || true; done
log=$CARGO_TARGET_DIR/cuda-check.log
mkdir -p "$CARGO_TARGET_DIR"
# shellcheck disable=SC2086
if ! cargo "$command" --locked --features cuda $packages "$@" >"$log" 2>&1; then
    cat "$log"
    exit 1
fi

echo '== compiled with the feature `cuda` =='
grep -E '^ *(Checking|Compiling) (candle-core|candle-nn|candle-kernels|cudarc|gtr-backends|gtr-cli) ' "$log" || true

echo
echo '== compiled lines of the workspace that belong to the CUDA path =='
# Items that exist only in a CUDA build, then code that runs on devices other than the CPU in any build.
grep -rnE --include='*.rs' 'cfg\(feature = "cuda"\)' gtr-backends/src gtr-run/src gtr-lab/src gtr-cli/src | while IFS=: read -r file line _; do
    # The item with the attribute ends at the first closing line with the indentation of the attribute.
    awk -v file="$file" -v first="$line" 'NR == first { depth = match($0, /[^ ]/) }
        NR > first && match($0, /[^ ]/) == depth && ($0 ~ /^ *}/ || $0 ~ /;$/) { printf "%s:%d-%d\n", file, first, NR; exit }' "$file"
done
grep -rnE --include='*.rs' 'is_cpu\(\)' gtr-backends/src gtr-run/src gtr-lab/src gtr-cli/src | cut -d: -f1,2 | sort -u |
    sed 's/$/ (chooses between the CPU and other devices; both branches are compiled)/'
echo
echo 'Checked only, not run: no device.'
