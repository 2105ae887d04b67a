#!/usr/bin/env bash
# Checks that `cargo run` and `cargo test` build the same dependencies: each with the same features, so that what the one has
# built the other need not build again.
set -euo pipefail
cd "$(dirname "$0")/.."

# The dependencies with their features: dependencies KINDS [ARGUMENTS OF CARGO TREE].
dependencies() {
  cargo tree --locked --edges "$@" --prefix none --format '{p} {f}' | sed 's/ (\*)$//' | grep -v '^gtr-' | LC_ALL=C sort -u
}

again=$(LC_ALL=C comm -23 <(dependencies normal,build --package gtr-cli) <(dependencies normal,build,dev))
if [ -n "$again" ]; then
  echo "error: tests ask for more features of these, so that they and all that depends on them are built twice:" >&2
  echo "$again" >&2
  echo "Turn the same features on in [workspace.dependencies], for the program as well." >&2
  exit 1
fi
