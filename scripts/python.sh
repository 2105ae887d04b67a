#!/usr/bin/env bash
# Builds gtr for Python and checks it: style, types, tests, documentation, and the wheel in an empty environment.
#
# Needs python3 (3.10 or newer) with venv, pip and a package registry. GTR_CLI names a built gtr-cli to compare with; without it those
# tests are skipped. Models are sampled where PyTorch is installed: from the registry, unless GTR_PYTHON_TORCH=0 is set.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$target/python
python=$environment/bin/python
# A virtual environment that cannot be used, as one of a Python that is gone, is made anew.
"$python" -c '' 2> /dev/null || python3 -m venv --clear "$environment"
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m pip install --quiet -r gtr-py/requirements.txt

cd gtr-py
"$environment/bin/ruff" format --check .
"$environment/bin/ruff" check .
# One build serves both: the package in this environment, and the wheel.
VIRTUAL_ENV=$environment "$environment/bin/maturin" develop --quiet --release --locked
rm -rf "$target/wheels"
"$environment/bin/maturin" build --quiet --release --locked --out "$target/wheels"

torch=no
if [ "${GTR_PYTHON_TORCH:-1}" != 0 ]; then
  if "$python" -c 'import torch' 2> /dev/null || "$python" -m pip install --quiet 'torch>=2.5,<3'; then
    torch=yes
  else
    echo "note: PyTorch cannot be installed: models are not sampled"
  fi
fi
if [ "$torch" = yes ]; then
  "$environment/bin/mypy" --strict python tests/typing_examples.py
else
  "$environment/bin/mypy" --strict --exclude python/gtr/torch python tests/typing_examples.py
fi

# Small models: more threads would wait for each other.
export OMP_NUM_THREADS=1
# pytest ends with 5 where it finds no test: that is a failure here, as any other end but 0 is.
"$python" -m pytest -q tests
# The examples in the documentation of the package; those of gtr.torch need a model.
"$python" -m pytest -q --doctest-modules --ignore python/gtr/torch python

# The wheel, with nothing but what it asks for.
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
python3 -m venv "$empty/environment"
"$empty/environment/bin/python" -m pip install --quiet "$target"/wheels/gtr_plan-*.whl
cd "$empty"
"$empty/environment/bin/python" - <<'PYTHON'
import sys

import gtr

plan = gtr.plan("gtr-16", grid=(16, 16))
assert gtr.verify(plan) == [] and plan.order().shape == (256,)
assert not {"torch", "tqdm"} & set(sys.modules), "something is imported that was not asked for"
print(f"the wheel in an empty environment: gtr {gtr.__version__}, {plan}")
PYTHON
