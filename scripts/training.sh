#!/usr/bin/env bash
# Trains a model for ten steps, kills and resumes the training, trains its judge, and loads the result.
#
#   GTR_CLI=target/debug/gtr-cli PYTHON=python3 scripts/training.sh
#
# PYTHON is an interpreter with the packages of tools/requirements.txt. The default is the one in target/python, if scripts/python.sh has
# installed torch there, or python3. Without torch the check is skipped with a message.
set -euo pipefail
cd "$(dirname "$0")/.."

gtr_cli=$(realpath "${GTR_CLI:-target/debug/gtr-cli}")
made=${CARGO_TARGET_DIR:-target}/python/bin/python
if [ -z "${PYTHON:-}" ] && "$made" -c 'import torch' 2> /dev/null; then
  "$made" -m pip install --quiet numpy pillow safetensors
  PYTHON=$made
fi
python=${PYTHON:-python3}
if ! "$python" -c 'import numpy, PIL, safetensors, torch' 2> /dev/null; then
  echo "training: SKIPPED, $python lacks numpy, pillow, safetensors or torch: install tools/requirements.txt"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" - "$work/pictures.npz" << 'END'
import sys

import numpy as np

# Ten classes of 28x28 pixels: a bright bar over noise, lower for each class.
random = np.random.default_rng(0)
classes = np.arange(200) % 10
pictures = random.integers(0, 40, (200, 28, 28), dtype=np.uint8)
for picture, label in zip(pictures, classes):
    picture[2 * label + 3 : 2 * label + 7, 4:24] = 255
np.savez(sys.argv[1], x=pictures, y=classes)
END

sizes=(--grid 8 --patch 4 --width 16 --depth 1 --heads 2 --buffer 2 --head-width 16 --head-depth 1)
train() {
  "$python" tools/train_mar.py "$work/pictures.npz" "$work/$1" --name bars --threads 1 --half none --batch 4 --rows 16 \
    --warmup 2 --save-minutes 0 "${sizes[@]}" "${@:2}"
}
fail() {
  echo "training: $1" >&2
  exit 1
}

train whole --steps 10 --class-names zero,one,two,three,four,five,six,seven,eight,nine
# Kill the second training with SIGKILL as soon as it has saved a step.
train killed --steps 10 --class-names zero,one,two,three,four,five,six,seven,eight,nine > "$work/log" 2>&1 &
while [ ! -e "$work/killed/state.pt" ] && kill -0 $! 2> /dev/null; do sleep 0.01; done
pkill -KILL -P $! || true
wait $! 2> /dev/null || true
[ ! -e "$work/killed/config.json" ] || fail "the training ended before it was killed"
[ -e "$work/killed/state.pt" ] || fail "nothing was saved: $(cat "$work/log")"
train killed --steps 10 --class-names zero,one,two,three,four,five,six,seven,eight,nine
for file in bars.safetensors config.json; do
  cmp "$work/whole/$file" "$work/killed/$file" || fail "$file differs after a kill"
done
"$python" - "$work/whole/state.pt" "$work/killed/state.pt" << 'END'
import sys

import torch

whole, killed = (torch.load(path, weights_only=True) for path in sys.argv[1:])
for part in ("model", "average"):
    assert all(torch.equal(value, killed[part][name]) for name, value in whole[part].items()), part
moments = [state["optimizer"]["state"] for state in (whole, killed)]
assert all(torch.equal(row[name], moments[1][at][name]) for at, row in moments[0].items() for name in row)
print("killed and resumed: the same weights, averages and moments, bit for bit")
END

refused() {
  if train "$@" > /dev/null 2> "$work/error"; then fail "$*: not refused"; fi
  [ "$(wc -l < "$work/error")" = 1 ] || fail "$*: $(cat "$work/error")"
  cat "$work/error"
}
refused whole --steps 10 --rate 0.1
echo "no state" > "$work/killed/state.pt"
refused killed --steps 10

# Check that gtr-cli computes what PyTorch computes. In a folder with the layout of a clone, the model has a name of the repository.
mkdir -p "$work/clone/models"
cp -r "$work/whole" "$work/clone/models/mar-fashion"
"$python" tools/record_mar.py "$work/whole" "$work/clone/fashion"
(cd "$work/clone" && "$gtr_cli" conform fashion.safetensors | tail -n 1)

"$python" tools/train_judge.py "$work/pictures.npz" "$work/whole/judge" --epochs 40 --threads 1
"$gtr_cli" sample --model "$work/whole" --class three,4 --preset gtr-8 --out "$work/sheet.png"
"$gtr_cli" eval --model "$work/whole" --presets gtr-16,gtr-8 --count 20 --resamples 20 --untimed 2> "$work/notes"
if grep -q 'no judge of its own' "$work/notes"; then fail "$(cat "$work/notes")"; fi
echo "training: passed"
