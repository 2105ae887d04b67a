#!/bin/sh
# Builds stand-ins for the CUDA libraries into a folder: the driver, cuBLAS, cuBLASLt, cuRAND, NVRTC and the runtime.
#
#   scripts/cuda/driver/build.sh FOLDER [NAME...]     all of them, or cuda, cublas, cublasLt, curand, nvrtc, cudart by name
#
# Programs link against them and start with them (LD_LIBRARY_PATH=FOLDER). They count work and compute nothing; see counts.c. Functions
# that the sources here do not implement are generated from the declarations of cudarc: they print their name and return an error.
# The runtime is empty: only candle's compiled kernels call it, and the fake nvcc compiles none.
#
# Needs gcc and nm.
set -eu
export LC_ALL=C

folder=${1:?usage: $0 FOLDER [NAME...]}
shift
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n '/^name = "cudarc"$/{n;s/^version = "\(.*\)"$/\1/p;}' "$here/../../../Cargo.lock")
sources() { find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -mindepth 2 -maxdepth 2 -name "cudarc-$version" 2>/dev/null | head -n 1; }
[ -n "$(sources)" ] || cargo fetch --quiet --locked --manifest-path "$here/../../../Cargo.toml"
cudarc=$(sources)
[ -n "$cudarc" ] || { echo "$0: no sources of cudarc $version in cargo's registry" >&2 && exit 1; }
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cc() { gcc -std=c11 -O2 -fPIC -fvisibility=hidden -D_GNU_SOURCE -Wall -Wextra -Werror "$@"; }

# Prints a definition of each function of a module of cudarc that the objects do not define.
missing() { # $1: the module, $2: prefix of its functions, $3: the error; then the objects
    module=$1 prefix=$2 code=$3
    shift 3
    nm --defined-only "$@" | awk '{ print $NF }' | sort -u >"$work/defined"
    sed -n "s/^pub unsafe fn \($prefix[A-Za-z0-9_]*\).*/\1/p" "$cudarc/src/$module/sys/mod.rs" | sort -u | comm -23 - "$work/defined" |
        awk -v code="$code" 'BEGIN { print "void count_missing(const char *);" }
            { printf "__attribute__((visibility(\"default\"))) int %s(void) { count_missing(\"%s\"); return %s; }\n", $1, $1, code }'
}

link() { # $1: the name, $2: its version; then the inputs
    name=$1 soname=lib$1.so.$2
    shift 2
    cc -shared -Wl,-soname,"$soname" -o "$folder/$soname" "$@"
    ln -sf "$soname" "$folder/lib$name.so"
}

# Functions of the other libraries count in the driver.
library() { # $1: the name, $2: its version, $3: the module of cudarc, $4: the error
    parts='' objects=''
    if [ "$1" = cuda ]; then parts='counts driver'; elif [ -e "$here/$1.c" ]; then parts=$1; fi
    for part in $parts; do
        cc -c -o "$work/$part.o" "$here/$part.c"
        objects="$objects $work/$part.o"
    done
    prefix=$1
    if [ "$1" = cuda ]; then prefix='cu[A-Z]'; fi
    printf '' | gcc -c -x c -o "$work/empty.o" -
    missing "$3" "$prefix" "$4" "$work/empty.o" $objects >"$work/missing.c"
    cc -c -w -o "$work/missing.o" "$work/missing.c"
    if [ "$1" = cuda ]; then set -- "$@" ''; else set -- "$@" "$folder/libcuda.so.1"; fi
    # shellcheck disable=SC2086
    link "$1" "$2" $objects "$work/missing.o" $5
}

for name in cuda ${*:-cublas cublasLt curand nvrtc cudart}; do
    case "$name" in
    cuda) library cuda 1 driver 801 ;;
    cublas) library cublas 13 cublas 15 ;;
    cublasLt) library cublasLt 13 cublaslt 15 ;;
    curand) library curand 10 curand 999 ;;
    nvrtc) library nvrtc 13 nvrtc 11 ;;
    cudart) printf '' | link cudart 13 -x c - ;;
    *) echo "$0: unknown library $name" >&2 && exit 2 ;;
    esac
done
