#!/bin/sh
# Runs the CUDA build without a GPU and counts the work that it submits: kernel launches, uploads, memory, streams and threads.
#
#   scripts/cuda-dry-run.sh                  digits, mar-b, mar-h and lightgen-base; needs 5 GB of memory
#   scripts/cuda-dry-run.sh mar-l            other models, by the names of --model
#
# The program is built with a fake nvcc (scripts/cuda/nvcc) and started with stand-ins for the CUDA libraries (scripts/cuda/driver). Memory
# and copies are real; kernels and products compute nothing, so images are grey. The counts are those of a run on a GPU, because no
# decision of these runs depends on a computed value. The difference of two runs whose plans differ by one step is the work of that
# step. Prints tables, and fails if
#
# - work is submitted to another stream than the one that was created, or from more than one thread;
# - events are used, or a function of CUDA that the stand-ins do not have;
# - a step of mar-h or lightgen-base, or a text, takes more launches or uploads than the budgets below;
# - the noise of a step is moved to the device after the host has waited for its transformer, except where conditioning vectors are read.
#
# The counts say nothing about time and results. Needs gcc, ar, nm and python3. Builds in target/cuda-dry-run (or $CUDA_DRY_RUN_TARGET).
#
#   GTR_CLI=target/cuda-build/gtr-cli LD_LIBRARY_PATH=target/cuda-build/toolkit/nvidia/cu13/lib scripts/cuda-dry-run.sh digits
#
# runs another program, in this case one with kernels: the stand-in driver then refuses kernels that its PTX does not have.
set -eu

# Budgets at batch 1, guided: launches and uploads of a diffusion step, then of an AR step without its head, then launches of a text. A
# launch is a kernel, a product, a copy on the device, a memset or a graph. 16-bit types add conversions. With `--cuda-graphs` (graphs), a
# step is two copies and a graph; before that, an AR step runs an evaluation directly, and copies its state once.
budgets='--budget mar-h,f32 107 0 756 21 --budget mar-h,bf16 107 0 758 21 --budget mar-h,graphs 3 0 866 21
    --budget lightgen-base,f32 75 0 853 21 1234 --budget lightgen-base,bf16 75 0 881 21 1403'

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- digits mar-b mar-h lightgen-base
target=$(realpath -m "${CUDA_DRY_RUN_TARGET:-target/cuda-dry-run}")
stand_ins=$target/stand-in/lib

build() {
    scripts/cuda/driver/build.sh "$stand_ins"
    # No kernel is compiled, so the compute capability does not matter.
    PATH=$PWD/scripts/cuda:$PATH CUDA_HOME=$target/stand-in CUDA_COMPUTE_CAP=80 CARGO_TARGET_DIR=$target \
        cargo build --locked -p gtr-cli --features cuda
}

if [ -n "${GTR_CLI-}" ]; then
    # This program may call the runtime library, which has no stand-in.
    stand_ins=$target/stand-in/without-runtime
    scripts/cuda/driver/build.sh "$stand_ins" cublas cublasLt curand nvrtc
else
    mkdir -p "$target"
    build >"$target/build.log" 2>&1 || { cat "$target/build.log" && exit 1; }
    GTR_CLI=$target/debug/gtr-cli
fi
export LD_LIBRARY_PATH="$stand_ins${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
# shellcheck disable=SC2086
exec python3 scripts/cuda/dry_run.py $budgets -- "$GTR_CLI" "$@"
