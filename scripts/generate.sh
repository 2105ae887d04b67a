#!/usr/bin/env bash
# Writes all files that are generated from the registered implementations: schemas, reference page, snapshots of plans and of help
# texts. Run it after adding or changing an implementation, and read the diff.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo run --quiet -p gtr-core --example generate
export INSTA_UPDATE=always
cargo test --quiet -p gtr-core --test core snapshots
cargo test --quiet -p gtr-cli --test cli help
git status --short
