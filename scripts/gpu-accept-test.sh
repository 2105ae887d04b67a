#!/usr/bin/env bash
# Tests scripts/gpu-accept.sh without a GPU. A stand-in for the program is right in the first run, and wrong in one way in each of the
# others: the step that must notice fails, no other does, and the exit code is 1. Then runs some steps with the real program.
#
#   scripts/gpu-accept-test.sh
#
# GTR_CLI is the path of the real program; without it, it is built. Takes about a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${GTR_CLI:-}" ]; then
  cargo build --quiet --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/debug/gtr-cli
fi
program=$(realpath "$GTR_CLI")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The stand-in takes the flag of CUDA graphs, also for the CPU.
export GTR_ACCEPT_GRAPHS=1
export GTR_DEVICE=cpu GTR_CLI=scripts/gpu-accept/stand-in-program.py
wrong() { cat "$work/said" >&2; echo "error: $1" >&2; exit 1; }

# Stand for Python: with PyTorch, without it, and with a comparison that ends with an error.
mkdir "$work/none" "$work/ldd" "$work/errors"
report='{"seconds_per_image": 2.5, "transformer": 1, "head": 1, "decode": 0.5, "torch": "2.0"}'
printf '#!/bin/sh\n[ "$1" = -c ] || echo %s\n' "'$report'" > "$work/python"
printf '#!/bin/sh\necho "ModuleNotFoundError: No module named torch" >&2; exit 1\n' > "$work/no-torch"
printf '#!/bin/sh\n[ "$1" = -c ] && exit; echo "CUDA error: out of memory" >&2; exit 1\n' > "$work/failing-torch"
printf '#!/bin/sh\necho "libcublas.so.13 => not found"\n' > "$work/ldd/ldd"
printf '#!/bin/sh\necho "========= ERROR SUMMARY: 3 errors"\n' > "$work/errors/compute-sanitizer"
printf '#!/bin/sh\necho "No devices were found" >&2; exit 6\n' > "$work/errors/nvidia-smi"
chmod +x "$work"/python "$work"/*torch "$work"/*/*
export PYTHON=$work/python

accept() { # runs the script; its exit code is in $code, its table in $work/said
  code=0
  scripts/gpu-accept.sh --out "$work/out" "$@" > "$work/said" 2>&1 || code=$?
}
verdicts() { # steps of the verdict $1
  python3 -c 'import json, sys
steps = json.load(open(sys.argv[1]))["steps"]
print("; ".join(step["step"] for step in steps if step["verdict"] == sys.argv[2]))' "$work/out/report.json" "$1"
}
expect() { # code $1, and exactly the failed steps $2
  [ "$code" -eq "$1" ] || wrong "expected exit code $1, found $code"
  local failed
  failed=$(verdicts FAIL)
  [ "$failed" = "$2" ] || wrong "expected the failures \`$2\`, found \`$failed\`"
}

late_steps='mar-h mar-64 x 128, f16; PyTorch, mar-h gtr-16 x 128, f16; PyTorch, mar-h mar-64 x 128, f16'
for sizes in '--small' ''; do
  # shellcheck disable=SC2086
  accept $sizes
  expect 0 ''
  # The stand-in's program takes 9 s an image: too long for the late steps, which the small sizes do not have.
  late=''
  [ -n "$sizes" ] || late="; $late_steps"
  [ "$(verdicts skipped)" = "device memory$late" ] || wrong "skipped: $(verdicts skipped)"
  grep -q 'mode STAND-INS on the CPU: no GPU was tested' "$work/said" || wrong "the table does not say that it ran on stand-ins"
  grep -q '"stand_ins": true' "$work/out/report.json" || wrong "the JSON does not say that it ran on stand-ins"
  echo "right program${sizes:+, $sizes}: $(tail -n 1 "$work/said")"
done

grep -q 'no time: ' "$work/said" || wrong "a late step without time does not say so"
accept --seconds 5000
expect 0 ''
[ "$(verdicts skipped)" = 'device memory' ] || wrong "skipped although there is time: $(verdicts skipped)"
FAULT=slow accept --seconds 5000
expect 1 'mar-h x 1, f32; mar-h x 32, f16; mar-h mar-64 x 128, f16'
echo "late steps: skipped without time, run with it; one that is slow fails"

while read -r fault step; do
  FAULT=$fault accept --small
  expect 1 "$step"
  echo "$fault: $(grep -o "FAIL    .*" "$work/said" | head -n 1)"
done << 'FAULTS'
digit a digit twice
recordings recordings, f32
unequal 2 of mar-b, three times
launches 2 of mar-b, three times
judge 40 digits judged, bf16
crash 40 digits judged, f32; 40 digits judged, f16; 40 digits judged, bf16
pixels digits alone, together, CPU
graphs digits, with CUDA graphs
trace a trace, replayed on the CPU
parts mar-b x 1, f32; digits x 2, f32; digits x 4, f16; digits x 2, f32, CUDA graphs
slow digits x 2, f32; digits x 4, f16
garbage mar-b x 1, f32; digits x 2, f32; digits x 4, f16; digits x 2, f32, CUDA graphs; device memory
FAULTS

GTR_ACCEPT_FACTOR=0.01 FAULT=hang accept --small --only 'digits x 2, f32$'
expect 1 'digits x 2, f32'
grep -q 'no end after' "$work/said" || wrong "the step that hangs does not say so"
accept --small --seconds 0.01
[ "$code" -eq 1 ] && grep -q 'not run: no time left' "$work/said" && [ -z "$(verdicts skipped)" ] || wrong "steps that are not run do not fail"
accept --seconds 0.01
[ "$(verdicts skipped)" = "$late_steps" ] || wrong "late steps without any time are not skipped: $(verdicts skipped)"
echo "a command that hangs, and steps without time: fail"

GTR_ACCEPT_STAND_INS=$work/none accept --small
expect 1 'card and driver; compute-sanitizer'
GTR_ACCEPT_STAND_INS=$work/errors accept --small
expect 1 'card and driver; compute-sanitizer'
PATH=$work/ldd:$PATH accept --small
expect 1 'libraries'
echo "missing tools, tools that find errors, a missing library: fail"
PYTHON=$work/no-torch accept --small
expect 0 ''
verdicts skipped | grep -q PyTorch || wrong "the comparison with PyTorch is not skipped"
PYTHON=$work/failing-torch accept --small
expect 1 'PyTorch, mar-b gtr-8 x 1, f32'
echo "without PyTorch: skipped; PyTorch fails: fails"

FAULT=hang scripts/gpu-accept.sh --small --only 'digits x' --out "$work/out" > "$work/said" 2>&1 &
child=$!
sleep 1
kill -TERM "$child"
code=0
wait "$child" || code=$?
[ "$code" -eq 143 ] || wrong "expected exit code 143, found $code"
grep -q '"finished": false' "$work/out/report.json" || wrong "the JSON of a stopped run says that it is finished"
code=0
GTR_CLI=no/such/program scripts/gpu-accept.sh > "$work/said" 2>&1 || code=$?
[ "$code" -eq 2 ] && [ "$(cat "$work/said")" = 'gpu-accept.sh: GTR_CLI is not a program' ] || wrong "a missing program"
echo "SIGTERM: exit code 143, and a report that says so; a missing program: 2"

GTR_CLI=$program accept --small --only 'libraries|twice$|f32$|together|replayed' --seconds 600
[ "$code" -eq 0 ] || wrong "the real program fails"
