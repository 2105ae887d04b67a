#!/bin/sh
# Builds gtr-cli with its CUDA kernels on a machine without a GPU, without a driver and without a CUDA toolkit.
#
#   scripts/cuda-build.sh                       for compute capability 8.0 (A100) and newer
#   CUDA_COMPUTE_CAP=90 scripts/cuda-build.sh   for Hopper (H100, H200) and no other
#
# The kernels of tensors are PTX, which the driver compiles for its GPU when the program starts. PTX for 8.0 suits all newer GPUs. For 90,
# candle asks for the features of Hopper alone (`sm_90a`), which other GPUs refuse. Some kernels of candle (mixtures of experts,
# quantised products) are machine code of exactly this capability; gtr calls none of them.
#
# Writes target/cuda-build/gtr-cli (or $CUDA_BUILD_TARGET/gtr-cli), and prints its size and the libraries that it needs. Needs Linux on
# x86-64, gcc, python3 with pip, and the network: nvcc, headers and runtime are pinned wheels (scripts/cuda/toolkit.txt), kept in the
# same folder. Libraries that are only linked (driver, cuBLAS, cuRAND, NVRTC) are stand-ins (scripts/cuda/driver), so the real ones must
# be there when the program starts. Finally the program generates a digit with the stand-ins, which look up every kernel in the PTX.
set -eu

cd "$(dirname "$0")/.."
[ $# -eq 0 ] || { echo "usage: $0 (see its first lines)" >&2 && exit 2; }
target=$(realpath -m "${CUDA_BUILD_TARGET:-target/cuda-build}")
toolkit=$target/toolkit/nvidia/cu13
stand_ins=$toolkit/lib/stubs

# Installs the toolkit, unless this version is there.
install_toolkit() {
    if cmp -s scripts/cuda/toolkit.txt "$target/toolkit/installed.txt"; then return; fi
    rm -rf "$target/toolkit"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps --no-compile \
        --only-binary :all: --require-hashes --target "$target/toolkit" -r scripts/cuda/toolkit.txt
    # The linker looks for names without a version, and nvcc for libraries in lib64.
    ln -sfn lib "$toolkit/lib64"
    ln -sfn libcudart.so.13 "$toolkit/lib/libcudart.so"
    cp scripts/cuda/toolkit.txt "$target/toolkit/installed.txt"
}

build() {
    # The first nvcc of PATH compiles; candle would prefer the one of NVCC.
    unset NVCC
    CUDA_HOME=$toolkit
    PATH=$toolkit/bin:$PATH
    CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-80}
    CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-$(nproc)}
    CARGO_TARGET_DIR=$target
    CARGO_PROFILE_RELEASE_STRIP=symbols
    RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$PWD=gtr ${RUSTFLAGS-}"
    export CUDA_HOME PATH CUDA_COMPUTE_CAP CUDAFORGE_THREADS CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_STRIP RUSTFLAGS
    nvcc --version | tail -n 2 | head -n 1
    echo "compute capability $CUDA_COMPUTE_CAP, $CUDAFORGE_THREADS threads"
    cargo build --release --locked -p gtr-cli --features cuda
    cp "$target/release/gtr-cli" "$target/gtr-cli"
}

describe() {
    printf '\n== %s\n' "$target/gtr-cli"
    echo "size: $(wc -c <"$target/gtr-cli") bytes"
    if command -v xz >/dev/null; then echo "compressed with xz: $(xz -c "$target/gtr-cli" | wc -c) bytes"; fi
    echo "needs: $(readelf -d "$target/gtr-cli" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')"
    echo "newest glibc symbol: $(readelf -V "$target/gtr-cli" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)"
}

# The stand-in driver refuses a kernel that the PTX does not have.
start() {
    digit=$(mktemp --suffix .png)
    trap 'rm -f "$digit"' EXIT
    LD_LIBRARY_PATH=$stand_ins:$toolkit/lib "$target/gtr-cli" sample --class 7 --device cuda:0 --quiet --out "$digit" >/dev/null
    echo 'starts with the stand-in driver; all kernels that a digit needs are in the PTX'
}

mkdir -p "$target"
install_toolkit
scripts/cuda/driver/build.sh "$stand_ins" cublas cublasLt curand nvrtc
build
describe
start
