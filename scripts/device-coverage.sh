#!/bin/sh
# Measures that each line of the device path runs without a GPU, in a test or in the dry run.
#
#   scripts/device-coverage.sh
#
# The device path is the code that computes on a GPU: the operations and their CUDA kernels, the denoising loop, the autoencoder, devices
# and their memory; `report.py` has the list. Prints the files with their lines, and each line that does not run; fails if there is one.
# Counted are
#
# - the tests of gtr-backends, in which the device path runs on the CPU (LLVM's coverage; gcov for the CUDA kernels, compiled as C);
# - the CUDA program with the stand-in driver, as in scripts/cuda-dry-run.sh, and the tests of launches with it.
#
# A line that runs may still be wrong: the tests compare results, the dry run only counts work.
#
# Needs gcc with gcov, nm, python3, and llvm-profdata and llvm-cov of rustc's LLVM version or newer: `rustup component add llvm-tools`, or the
# package llvm-N of a distribution. Only crates of the workspace are compiled for coverage, so the builds of `cargo test -p gtr-backends
# -F gtr-core/testing` (in target or $CARGO_TARGET_DIR) and of scripts/cuda-dry-run.sh (in target/cuda-dry-run or $CUDA_DRY_RUN_TARGET) are
# used. With these, it takes about 8 minutes on two cores.
set -eu
cd "$(dirname "$0")/.."
here=$PWD/scripts/device-coverage
tests_target=${CARGO_TARGET_DIR:-target}
dry_target=$(realpath -m "${CUDA_DRY_RUN_TARGET:-target/cuda-dry-run}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The path of an LLVM tool.
tool() {
    version=$(rustc -vV)
    own=$(rustc --print sysroot)/lib/rustlib/$(echo "$version" | sed -n 's/^host: //p')/bin/$1
    number=$(echo "$version" | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    for found in "$own" "$(command -v "$1-$number" || true)"; do
        if [ -x "$found" ]; then echo "$found" && return; fi
    done
    echo "$0: no $1 of LLVM $number: rustup component add llvm-tools, or install llvm-$number" >&2
    return 1
}
profdata=$(tool llvm-profdata)
cov=$(tool llvm-cov)

quietly() { # prints the output of a command only if it fails
    "$@" >"$work/log" 2>&1 || { cat "$work/log" && return 1; }
}
expect() { # fails with the text $1 if the last output does not have it
    grep -q "$1" "$work/log" || { cat "$work/log" && echo "$0: expected \`$1\`" >&2 && return 1; }
}
# Builds tests with the arguments and prints the paths of their programs.
programs() {
    cargo test --locked -p gtr-backends --no-run --message-format=json "$@" 2>"$work/log" >"$work/messages" ||
        { cat "$work/log" >&2 && return 1; }
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$work/messages"
}

RUSTC_WORKSPACE_WRAPPER=$here/rustc
LLVM_PROFILE_FILE=$work/%m.profraw
GTR_KERNEL_COUNTS=$work/kernels
mkdir "$GTR_KERNEL_COUNTS"
export RUSTC_WORKSPACE_WRAPPER LLVM_PROFILE_FILE GTR_KERNEL_COUNTS

echo '== tests'
built=$(CARGO_TARGET_DIR=$tests_target programs -F gtr-core/testing --lib --test conformance)
for program in $built; do
    (cd gtr-backends && CC=$here/cc quietly "$program")
    tail -n 2 "$work/log" | head -n 1
done

echo '== dry run'
CUDA_DRY_RUN_TARGET=$dry_target quietly scripts/cuda-dry-run.sh digits lightgen-base
tail -n 1 "$work/log"
export LD_LIBRARY_PATH="$dry_target/stand-in/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
program=$dry_target/debug/gtr-cli
for dtype in f16 bf16 f32; do
    quietly "$program" bench --model digits --presets gtr-8 --count 2 --rounds 1 --device cuda:0 --dtype "$dtype"
done
quietly "$program" sample --class 7 --device auto --threads 2 --dtype f16 --preset gtr-8 --out "$work/seven.png"
# A device that does not exist is an error of one line.
if quietly "$program" sample --class 7 --device cuda:9 --out "$work/none.png" >"$work/refused"; then false; fi
expect 'device `cuda:9` is not available: CUDA driver: '
[ "$(wc -l <"$work/refused")" -eq 1 ]
# Launches with operands that do not fit, and recordings.
cuda_tests=$(PATH=$PWD/scripts/cuda:$PATH CUDA_HOME=$dry_target/stand-in CUDA_COMPUTE_CAP=80 CARGO_TARGET_DIR=$dry_target \
    programs -F cuda,gtr-core/testing --lib)
(cd gtr-backends && quietly "$cuda_tests" cuda:: repeat::)
expect 'test result: ok. [1-9]'
tail -n 2 "$work/log" | head -n 1

echo '== lines of the device path'
"$profdata" merge -sparse "$work"/*.profraw -o "$work/all.profdata"
objects="$program"
for object in $built $cuda_tests; do objects="$objects -object $object"; done
# shellcheck disable=SC2086
"$cov" export -format=lcov -skip-functions -instr-profile="$work/all.profdata" $objects >"$work/lines.lcov"
(cd "$GTR_KERNEL_COUNTS" && gcov -j -t emulation.gcda >"$work/kernels.json")
python3 "$here/report.py" "$work/lines.lcov" "$work/kernels.json"
