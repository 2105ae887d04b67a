#!/usr/bin/env bash
# Tests scripts/gpus.sh without a GPU: three processes on the CPU generate digits, and the result is compared byte for byte with that of
# one process: without a failure, after a process is killed with SIGKILL, and after the script gets SIGTERM, SIGINT and SIGHUP. A
# process that fails must stop the others and give one clear line. Also tests which device scripts/slurm/sample.sbatch selects.
#
#   scripts/gpus-test.sh [IMAGES] [FLAGS OF SAMPLE...]
#
# Default: 48 images. GTR_CLI is the path of the program; without it, it is built.
set -euo pipefail
cd "$(dirname "$0")/.."

images=${1:-48}
[ $# -gt 0 ] && shift
if [ -z "${GTR_CLI:-${GTR:-}}" ]; then
  cargo build --quiet --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/debug/gtr-cli
fi
program=$(realpath "${GTR_CLI:-$GTR}")
gpus=$(realpath scripts/gpus.sh)
flags=(--classes balanced --count "$images" --batch 1 --preset gtr-8 --diffusion constant --t 8 --detail none "$@")
folder=$(mktemp -d)
work="$folder/with spaces"
mkdir -p "$work/tmp"
export TMPDIR=$work/tmp GTR_DEVICE=cpu

# Stands for the program: notes its process number and arguments under the number of its part. Part 1 of a run with `FAIL` fails after
# the first images. With `FAKE` it does nothing else.
cat > "$work/program" << SH
#!/usr/bin/env bash
shard=merge previous=''
for flag in "\$@"; do [ "\$previous" = --shard ] && shard=\${flag%/*}; previous=\$flag; done
echo "\$*" > "$work/arguments-\$shard"
[ -z "\${FAKE:-}" ] || exit 0
echo "\$\$" > "$work/process-\$shard"
if [ "\$shard" = 1 ] && [ -n "\${FAIL:-}" ]; then
  while ! find "\$FAIL" -name '[0-9]*.png' 2> /dev/null | grep -q .; do sleep 0.01; done
  echo "error: out of memory" >&2
  exit 3
fi
exec "$program" "\$@"
SH
chmod +x "$work/program"
export GTR_CLI=$work/program

script=''
finish() {
  code=$?
  if [ "$code" -ne 0 ]; then
    cat "$work/errors" >&2 2> /dev/null || true
    # Processes that a broken gpus.sh has left.
    [ -z "$script" ] || kill -KILL "$script" 2> /dev/null || true
    for part in 0 1 2; do kill -KILL "$(cat "$work/process-$part" 2> /dev/null)" 2> /dev/null || true; done
  fi
  rm -rf "$folder"
}
trap finish EXIT
wrong() { echo "error: $1" >&2; exit 1; }
short() { sed "s|$work/||g"; }
finished() { { find "$1" -name '[0-9]*.png' 2> /dev/null || true; } | wc -l; }
generated() { sed -n 's/.* \([0-9]*\) generated now.*/\1/p' "$work/said" | awk '{ sum += $1 } END { print sum + 0 }'; }
run() { "$gpus" 3 --out "$1" "${flags[@]}" > "$work/said" 2> "$work/errors"; }
equal() { diff -r --exclude shards "${@:2}" "$work/whole" "$1"; }
nothing_left() { # after the run $1: no process, no temporary file
  for part in 0 1 2; do
    ! kill -0 "$(cat "$work/process-$part")" 2> /dev/null || wrong "$1: the process of part $part is still running"
  done
  [ -z "$(ls -A "$TMPDIR")" ] || wrong "$1: temporary files are left"
}
start() { # starts a run into folder $1, and waits for two images more
  local before
  before=$(finished "$1")
  rm -f "$work"/process-*
  # With job control, as in a terminal: the script does not ignore SIGINT.
  set -m
  "$gpus" 3 --out "$1" "${flags[@]}" > "$work/said" 2> "$work/errors" &
  script=$!
  set +m
  until [ "$(finished "$1")" -ge $((before + 2)) ] && [ -e "$work/process-0" ] && [ -e "$work/process-1" ] &&
    [ -e "$work/process-2" ]; do
    kill -0 "$script" 2> /dev/null || wrong "the run ended too early: use more images"
    sleep 0.01
  done
}
ends_with() { # waits at most 10 seconds until the script ends, with code $1
  local ended=0 tenths=0
  while kill -0 "$script" 2> /dev/null; do
    tenths=$((tenths + 1))
    [ "$tenths" -le 100 ] || wrong "the script is still running after 10 seconds"
    sleep 0.1
  done
  wait "$script" 2> /dev/null || ended=$?
  script=''
  [ "$ended" -eq "$1" ] || wrong "expected exit code $1, found $ended"
}

"$program" sample "${flags[@]}" --out "$work/whole" | short
"$program" merge "$work/whole" --out "$work/whole.npz" > /dev/null

FAKE=1 GTR_DEVICE='cuda:%' "$gpus" 3 --out "$work/none" "${flags[@]}"
for part in 0 1 2; do
  grep -q -- "--device cuda:$part --shard $part/3 --resume" "$work/arguments-$part" || wrong "part $part is not on device $part"
done
for given in '' 5; do # the GPU that Slurm gives a task
  FAKE=1 GTR_DEVICE='' SLURM_JOB_GPUS=$given bash scripts/slurm/sample.sbatch --out "$work/none"
  wanted=${given:+ --device cuda:0}
  [ "$(cat "$work/arguments-auto")" = "sample --out $work/none$wanted --shard auto --resume" ] || wrong "wrong device in a Slurm task"
done
echo "devices: cuda:0, cuda:1, cuda:2; cuda:0 in a Slurm task with a GPU"

run "$work/parts"
[ "$(generated)" -eq "$images" ] || wrong "expected $images generated images, found $(generated)"
equal "$work/parts"
run "$work/parts"
[ "$(generated)" -eq 0 ] || wrong "finished images were generated again"
equal "$work/parts"
nothing_left "complete run"
run "$work/parts.npz"
cmp "$work/whole.npz" "$work/parts.npz"
echo "three processes: equal, as a folder and as a .npz; a second run generates nothing"

start "$work/killed"
kill -KILL "$(cat "$work/process-1")"
ends_with 137
[ "$(cat "$work/errors")" = "gpus.sh: part 1/3 on cpu failed: killed by SIGKILL" ] || wrong "unexpected message"
nothing_left "SIGKILL"
before=$(finished "$work/killed")
[ "$before" -lt "$images" ] || wrong "all images are there: the processes were not stopped, or there are too few images"
run "$work/killed"
# A process killed while it writes a file leaves its temporary file.
equal "$work/killed" --exclude '.gtr-*'
echo "SIGKILL to one process after $before of $images images, then the same command: equal"

for signal in TERM INT HUP; do
  code=143
  [ "$signal" != INT ] || code=130
  start "$work/$signal"
  kill "-$signal" "$script"
  SECONDS=0
  ends_with "$code"
  [ "$(cat "$work/errors")" = "gpus.sh: stopped by SIG$signal: run the same command again to continue" ] || wrong "unexpected message"
  took=$SECONDS
  nothing_left "SIG$signal"
  before=$(finished "$work/$signal")
  [ "$before" -lt "$images" ] || wrong "all images are there: the processes were not stopped, or there are too few images"
  run "$work/$signal"
  [ "$(generated)" -eq $((images - before)) ] || wrong "expected $((images - before)) generated images, found $(generated)"
  equal "$work/$signal"
  echo "SIG$signal after $before of $images images: ended in $took s, exit code $code; then the same command: equal"
done

code=0
FAIL=$work/failing run "$work/failing" || code=$?
[ "$code" -eq 3 ] || wrong "expected exit code 3, found $code"
[ "$(cat "$work/errors")" = "gpus.sh: part 1/3 on cpu failed: out of memory" ] || wrong "unexpected message"
nothing_left "failure"
[ "$(finished "$work/failing")" -lt $((images * 2 / 3)) ] || wrong "the other parts were not stopped"
code=0
flags+=(--impossible)
run "$work/impossible" || code=$?
[ "$code" -eq 2 ] || wrong "expected exit code 2, found $code"
grep -qx "gpus.sh: part [012]/3 on cpu failed: unexpected argument '--impossible' found" "$work/errors" || wrong "unexpected message"
[ "$(wc -l < "$work/errors")" -eq 1 ] || wrong "expected one line"
nothing_left "wrong flag"
echo "a process that fails: the others are stopped, one line, and its exit code"
