#!/usr/bin/env bash
# Checks that `cargo run` and `cargo test` build each dependency with the same features, so that they share what they build.
set -euo pipefail
cd "$(dirname "$0")/.."

# Prints the dependencies with their features: dependencies KINDS [ARGUMENTS OF CARGO TREE].
dependencies() {
  cargo tree --locked --edges "$@" --prefix none --format '{p} {f}' | sed 's/ (\*)$//' | grep -v '^gtr-' | LC_ALL=C sort -u
}

again=$(LC_ALL=C comm -23 <(dependencies normal,build --package gtr-cli) <(dependencies normal,build,dev))
if [ -n "$again" ]; then
  echo "error: tests enable more features of these crates, so they and their dependents are built twice:" >&2
  echo "$again" >&2
  echo "Enable the same features in [workspace.dependencies]." >&2
  exit 1
fi
