#!/usr/bin/env bash
# Generates many images on the N GPUs of this machine: one process of `gtr-cli sample` and one shard per GPU, then `gtr-cli merge`.
#
#   scripts/gpus.sh N --out FOLDER|FILE.npz [FLAGS OF SAMPLE...]
#   scripts/gpus.sh 8 --model mar-h --weights mar-h.pth --vae kl16.ckpt --classes balanced --count 50000 --out images.npz
#
# Takes the flags of `gtr-cli sample`, except --device, --shard, --resume and --overwrite. The same command again continues a run that
# was stopped or killed, and generates no finished image again. The number N must stay the same.
#
# SIGTERM, SIGINT (ctrl-C), SIGHUP, SIGUSR1 and SIGUSR2 are passed on; the processes end within five seconds and the exit code is 143, or
# 130 for SIGINT. If a process fails, the others are stopped, its error is printed, and the exit code is its own.
#
# A FILE.npz is collected in FILE.npz.parts, which you may remove when the archive is complete.
#
# Environment:
#   GTR_CLI, GTR     path of the program [default: gtr-cli]
#   GTR_DEVICE       device of each process, in which % stands for 0 to N-1 [default: cuda:%]; `cpu` tests a command without a GPU
#   CUDA_VISIBLE_DEVICES  as always: with 2,3 the two processes of N = 2 use the GPUs 2 and 3
#   RAYON_NUM_THREADS     CPU threads per process [default: an equal share of the cores]
set -euo pipefail

fail() { echo "gpus.sh: $1" >&2; exit "${2:-2}"; }

case ${1:-} in
  -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0"; exit ;;
  '' | 0* | *[!0-9]*) fail "expected the number of GPUs, from 1, as the first argument; see --help" ;;
esac
gpus=$1
shift

out='' previous='' channels=()
for flag in "$@"; do
  case $previous in
    -o | --out) out=$flag ;;
    --channels) channels=(--channels "$flag") ;;
  esac
  case $flag in
    --out=*) out=${flag#--out=} ;;
    -o?*) out=${flag#-o} out=${out#=} ;;
    --channels=*) channels=("$flag") ;;
    --device | --device=*) fail "--device is set for each process; see GTR_DEVICE in --help" ;;
    --shard | --shard=* | --resume) fail "$flag is set for each process: leave it out" ;;
    --overwrite) fail "--overwrite is not available: remove the earlier output, or use another one" ;;
  esac
  previous=$flag
done
[ -n "$out" ] || fail "expected --out FOLDER or --out FILE.npz"
parts=$out
case $out in *.[nN][pP][zZ]) parts=$out.parts ;; esac

program=${GTR_CLI:-${GTR:-gtr-cli}}
command -v "$program" > /dev/null || fail "$program is not a program: set GTR_CLI to the path of gtr-cli"
cores=$(nproc)
export RAYON_NUM_THREADS=${RAYON_NUM_THREADS:-$((cores > gpus ? cores / gpus : 1))}
device() { local template=${GTR_DEVICE:-cuda:%}; echo "${template//%/$1}"; }

processes=()
signal=''
pass_on() { # passes signal $1 to all processes
  signal=${signal:-$1}
  for process in "${processes[@]}"; do kill "-$1" "$process" 2> /dev/null || true; done
}
for name in TERM INT HUP USR1 USR2; do
  # shellcheck disable=SC2064
  trap "pass_on $name" "$name"
done
messages=$(mktemp -d)
trap 'rm -rf "$messages"' EXIT

# With job control, ctrl-C reaches only this script, and the processes do not ignore it.
set -m
for ((gpu = 0; gpu < gpus; gpu++)); do
  [ -z "$signal" ] || break
  "$program" sample "$@" --device "$(device "$gpu")" --shard "$gpu/$gpus" --resume < /dev/null 2> "$messages/$gpu" &
  processes+=($!)
done
set +m
# A signal may arrive between the start of a process and the next line. A second SIGTERM changes nothing.
[ -z "$signal" ] || pass_on TERM

# Waits for all processes; stops the others if one fails. Bash's own message about a killed process is not shown.
failed='' code=0
running=("${!processes[@]}")
while [ "${#running[@]}" -gt 0 ]; do
  still=()
  for gpu in "${running[@]}"; do
    if kill -0 "${processes[gpu]}" 2> /dev/null; then still+=("$gpu"); continue; fi
    ended=0
    wait "${processes[gpu]}" || ended=$?
    if [ "$ended" -ne 0 ] && [ -z "$signal$failed" ]; then
      failed=$gpu code=$ended
      pass_on TERM
    fi
  done
  running=("${still[@]}")
  [ "${#running[@]}" -eq 0 ] || sleep 0.1 || true
done 2> /dev/null

if [ -n "$failed" ]; then
  reason=$(sed -n 's/^error: //p' "$messages/$failed" | tail -n 1)
  [ -n "$reason" ] || cat "$messages/$failed" >&2
  [ "$code" -le 128 ] || reason=${reason:-killed by SIG$(kill -l "$code")}
  fail "part $failed/$gpus on $(device "$failed") failed: ${reason:-exit code $code}" "$code"
fi
if [ -n "$signal" ]; then
  echo "gpus.sh: stopped by SIG$signal: run the same command again to continue" >&2
  [ "$signal" = INT ] && exit 130
  exit 143
fi
# Shows a note that several processes have printed once.
awk '!seen[$0]++ && !/run: gtr-cli merge/' "$messages"/* >&2
# If an earlier run has finished the archive, its parts may have been removed.
[ "$parts" != "$out" ] && [ -e "$out" ] && [ ! -d "$parts" ] && exit 0
"$program" merge --quiet "$parts" --out "$out" "${channels[@]}"
