#!/usr/bin/env bash
# Tests scripts/slurm/sample.sbatch with a real Slurm. Starts munged, slurmctld and slurmd on this machine, submits an array of four
# tasks, kills the process of one task, stops another one as Slurm does at the time limit, requeues the first, merges the parts, and
# compares the result byte for byte with that of one process.
#
#   scripts/slurm/test.sh [--install] [IMAGES]
#
# Needs root, and Debian's packages slurm-wlm and munge, which --install installs. Default: 400 images. GTR_CLI is the path of the
# program; without it, it is built. All files go to a temporary folder, and all daemons end with the script.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" = --install ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge
  shift
fi
images=${1:-400}
for tool in munged slurmctld slurmd sbatch; do
  PATH=$PATH:/usr/sbin command -v "$tool" > /dev/null || { echo "$tool is missing: run with --install" >&2; exit 1; }
done
if [ -z "${GTR_CLI:-}" ]; then
  cargo build --quiet --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/debug/gtr-cli
fi
GTR_CLI=$(realpath "$GTR_CLI")
export GTR_CLI PATH=$PATH:/usr/sbin
script=$(realpath scripts/slurm/sample.sbatch)

work=$(mktemp -d)
daemons=()
finish() {
  code=$?
  if [ "$code" -ne 0 ]; then
    tail -n 15 "$work"/*.log >&2 || true
  fi
  scancel --quiet --user=root 2> /dev/null || true
  for ((i = ${#daemons[@]} - 1; i >= 0; i--)); do
    kill "${daemons[i]}" 2> /dev/null || true
    wait "${daemons[i]}" 2> /dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT

# Configure Slurm with one node.
chmod 755 "$work"
mkdir -m 700 "$work/munge"
mkdir -p "$work/state" "$work/spool"
dd if=/dev/urandom of="$work/munge/key" bs=128 count=1 status=none
chmod 600 "$work/munge/key"
munged --foreground --force --num-threads=2 --key-file="$work/munge/key" --socket="$work/munge.socket" \
  --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" --log-file="$work/munge/log" > "$work/munged.log" 2>&1 &
daemons+=($!)
node=$(hostname -s)
cat > "$work/slurm.conf" << CONF
ClusterName=trial
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=5
MinJobAge=600
ReturnToService=2
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=60 State=UP
CONF
export SLURM_CONF=$work/slurm.conf
for _ in $(seq 50); do [ -S "$work/munge.socket" ] && break; sleep 0.1; done
slurmctld -D > "$work/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -N "$node" > "$work/slurmd.log" 2>&1 &
daemons+=($!)
for _ in $(seq 100); do
  [ "$(sinfo --noheader --format=%T 2> /dev/null)" = idle ] && break
  sleep 0.2
done
echo "$(sinfo --version): $(sinfo --noheader --format='%D node, %c cores, %T')"

flags=(--classes balanced --count "$images" --batch 4)
parts=$work/parts
images_of() { # number of images of part $1
  local first=$((images * $1 / 4)) last=$((images * ($1 + 1) / 4)) number count=0
  for ((number = first; number < last; number++)); do
    if [ -e "$parts/$(printf %05d "$number").png" ]; then count=$((count + 1)); fi
  done
  echo "$count"
}
state() { scontrol --oneliner show job "$1" 2> /dev/null | grep -o 'JobState=[A-Z_]*' | head -n 1 | cut -d= -f2; }
await() { # waits until task $1 is in state $2
  local _
  for _ in $(seq 3000); do
    [ "$(state "$1")" = "$2" ] && return
    sleep 0.1
  done
  echo "task $1 is $(state "$1"), not $2" >&2
  return 1
}
await_images() { # waits until part $1 has $2 images
  while [ "$(images_of "$1")" -lt "$2" ]; do sleep 0.05; done
}
process() { # process id of the sampler that holds the lock of part $1
  local pid
  for pid in $(pgrep -x "$(basename "$GTR_CLI")"); do
    if find "/proc/$pid/fd" -lname "$parts/shards/$1-of-4.lock" 2> /dev/null | grep -q .; then echo "$pid"; fi
  done
}

job=$(cd "$work" && sbatch --parsable --array=0-3 --cpus-per-task=1 --time=30 "$script" "${flags[@]}" --out "$parts")
echo "submitted an array of four tasks"
await_images 1 8
kill -KILL "$(process 1)"
await "${job}_1" FAILED
echo "task 1: killed with SIGKILL after $(images_of 1) of $((images / 4)) images, state FAILED"
scontrol requeue "${job}_1"
echo "task 1: requeued"
await_images 2 8
scancel --batch --signal=TERM "${job}_2"
echo "task 2: SIGTERM to its shell, as before the time limit, after $(images_of 2) of $((images / 4)) images"
for task in 0 1 2 3; do await "${job}_$task" COMPLETED; done
for task in 0 1 2 3; do
  restarts=$(scontrol --oneliner show job "${job}_$task" | grep -o 'Restarts=[0-9]*' | head -n 1)
  sed "/slurmstepd/d; s|$work/||g; s|^|task $task: |" "$work/gtr-cli-${job}_$task.log"
  echo "task $task: $(state "${job}_$task"), $restarts"
done

"$GTR_CLI" merge "$parts" --out "$work/merged" | sed "s|$work/||"
"$GTR_CLI" merge "$parts" --out "$work/merged.npz" | sed "s|$work/||"
"$GTR_CLI" sample "${flags[@]}" --out "$work/whole" | sed "s|$work/||"
"$GTR_CLI" sample "${flags[@]}" --out "$work/whole.npz" | sed "s|$work/||"
diff -r --exclude shards "$work/whole" "$work/merged"
cmp "$work/whole.npz" "$work/merged.npz"
echo "equal, bit for bit: $images PNG files, their labels, and the .npz"
