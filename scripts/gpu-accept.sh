#!/usr/bin/env bash
# Accepts or refuses a GPU for gtr-cli: does it compute what the CPU computes, the same in every run, and how fast? At most 8 minutes on an
# H100. Prints a table of steps with what was expected, what was found, and a verdict, and writes the same as JSON.
#
#   scripts/gpu-accept.sh [--small] [--out FOLDER] [--only REGEX] [--seconds N]
#
# Exit code: 0 if no step fails, 1 if one fails, 2 for a wrong call, 130 or 143 if it is stopped. A step that is skipped states its reason.
#
#   --small       smaller sizes: MAR-B in place of MAR-H, few images
#   --out FOLDER  folder of report.json, the output of each command, an image and a trace [default: gpu-accept-out]
#   --only REGEX  only the steps whose names match
#   --seconds N   time of all steps together; what is not run then has failed, but the timings of batch 128 at the end are skipped
#                 [default: 480, and 900 with --small]
#
# Needs no network. Needs python3 (3.9 or newer), the recordings in tests/golden, nvidia-smi and compute-sanitizer (both are part of the
# driver and the toolkit), and either a program built with `--features cuda` (it may be stripped) or a toolkit with nvcc to build it.
# Steps that need PyTorch with CUDA are skipped without it.
#
# Environment:
#   GTR_CLI     path of the program; without it, it is built
#   GTR_DEVICE  device [default: cuda:0]; `cpu` runs every step on the CPU, with stand-ins for nvidia-smi and compute-sanitizer. The
#               table and the JSON then say so: it tests this script, and accepts nothing.
#   PYTHON      interpreter that has PyTorch [default: python3]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

fail() { echo "gpu-accept.sh: $1" >&2; exit 2; }
for flag in "$@"; do
  case $flag in -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0"; exit ;; esac
done
command -v python3 > /dev/null || fail "python3 is missing"

if [ -z "${GTR_CLI:-}" ]; then
  features=(--features cuda)
  [ "${GTR_DEVICE:-cuda:0}" != cpu ] || features=()
  [ ${#features[@]} -eq 0 ] || command -v nvcc > /dev/null || fail "set GTR_CLI to the program, or put nvcc into PATH to build it"
  (cd "$root" && cargo build --quiet --release --locked -p gtr-cli "${features[@]}") || fail "the program cannot be built"
  GTR_CLI=${CARGO_TARGET_DIR:-$root/target}/release/gtr-cli
fi
GTR_CLI=$(command -v "$GTR_CLI") || fail "GTR_CLI is not a program"
GTR_CLI=$(realpath "$GTR_CLI")
export GTR_CLI
exec python3 "$root/scripts/gpu-accept/accept.py" "$@"
