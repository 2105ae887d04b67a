#!/usr/bin/env bash
# Builds gtr for Python and checks style, types, tests, documentation, and the wheel in an empty environment.
#
# Needs python3 (3.10 or newer) with venv, pip and a package registry. GTR_CLI is the path of a gtr-cli to compare with; without it those
# tests are skipped. Tests that sample models need PyTorch, which is installed from the registry unless GTR_PYTHON_TORCH=0 is set.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$target/python
python=$environment/bin/python
# Create the virtual environment, or replace a broken one, for example of a removed Python.
"$python" -c '' 2> /dev/null || python3 -m venv --clear "$environment"
export PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m pip install --quiet -r gtr-py/requirements.txt

cd gtr-py
"$environment/bin/ruff" format --check .
"$environment/bin/ruff" check .
# One build for both: the package in this environment, and the wheel.
VIRTUAL_ENV=$environment "$environment/bin/maturin" develop --quiet --release --locked
rm -rf "$target/wheels"
"$environment/bin/maturin" build --quiet --release --locked --out "$target/wheels"

torch=no
if [ "${GTR_PYTHON_TORCH:-1}" != 0 ]; then
  if "$python" -c 'import torch' 2> /dev/null || "$python" -m pip install --quiet 'torch>=2.5,<3'; then
    torch=yes
  else
    echo "note: PyTorch cannot be installed, tests that sample models are skipped"
  fi
fi
if [ "$torch" = yes ]; then
  "$environment/bin/mypy" --strict python tests/typing_examples.py
else
  "$environment/bin/mypy" --strict --exclude python/gtr/torch python tests/typing_examples.py
fi

# For small models more threads are slower.
export OMP_NUM_THREADS=1
# pytest exits with code 5 if it finds no test, which fails the script like every other non-zero code.
"$python" -m pytest -q tests
# The examples in the documentation of the package; those of gtr.torch need a model.
"$python" -m pytest -q --doctest-modules --ignore python/gtr/torch python

# The wheel with only its declared dependencies.
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
assert not {"torch", "tqdm"} & set(sys.modules), "an optional dependency is imported"
print(f"the wheel in an empty environment: gtr {gtr.__version__}, {plan}")
PYTHON
