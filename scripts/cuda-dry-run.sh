#!/bin/sh
# Runs the CUDA build without a GPU and counts the work that it submits: kernel launches, uploads, memory, streams and threads.
#
#   scripts/cuda-dry-run.sh              digits and MAR-B
#   scripts/cuda-dry-run.sh mar-h        other models, in this case 5 GB of memory; any names of --model
#
# The program is built with a fake nvcc (scripts/cuda/nvcc) and started with stand-ins for the CUDA libraries (scripts/cuda/driver), whose
# kernels compute nothing: images are grey. The counts are those of a real run of the same commands, because no decision of the program
# depends on computed values. The difference of two runs whose plans differ by one step is the work of that step. Prints a table, and
# fails if
#
# - work is submitted to another stream than the one that was created, or from more than one thread;
# - events are used, or a function of CUDA that the stand-ins do not have;
# - a step takes more launches or uploads than the budgets below.
#
# The counts say nothing about time and results. Needs gcc, ar, nm and python3. Builds in target/cuda-dry-run (or $CUDA_DRY_RUN_TARGET).
# $GTR_CLI replaces the program, for example by that of scripts/cuda-build.sh; its kernels are then looked up by name.
set -eu

# The largest counts for MAR models in f32, batch 1, guided. A launch is a kernel, a product, a copy on the device or a memset.
diffusion_step_launches=323
diffusion_step_uploads=163
# An AR step without the evaluations of its head.
ar_step_launches=1740
ar_step_uploads=833

cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- digits mar-b
target=$(realpath -m "${CUDA_DRY_RUN_TARGET:-target/cuda-dry-run}")
stand_ins=$target/stand-in/lib

scripts/cuda/driver/build.sh "$stand_ins"
if [ -z "${GTR_CLI-}" ]; then
    log=$target/build.log
    # `dev` is also the profile of the type check. Compute capability: any, as nothing is compiled for it.
    if ! PATH=$PWD/scripts/cuda:$PATH CUDA_HOME=$target/stand-in CUDA_COMPUTE_CAP=80 CARGO_TARGET_DIR=$target \
        cargo build --locked -p gtr-cli --features cuda >"$log" 2>&1; then
        cat "$log"
        exit 1
    fi
    GTR_CLI=$target/debug/gtr-cli
fi
export LD_LIBRARY_PATH="$stand_ins${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec python3 scripts/cuda/dry_run.py "$GTR_CLI" "$@" \
    --diffusion-step "$diffusion_step_launches" "$diffusion_step_uploads" --ar-step "$ar_step_launches" "$ar_step_uploads"
