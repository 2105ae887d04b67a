#!/usr/bin/env bash
# Snapshots of the public interfaces of the library crates, so that a change that breaks users is seen in review.
#
#   scripts/public-api.sh --check    fails, with a diff, if an interface differs from its snapshot in spec/api/
#   scripts/public-api.sh --write    writes the snapshots
#
# The library crates are those of the workspace with a target of kind `lib`, fuzzing aside. Features are the default ones. What is
# described comes from the JSON of rustdoc, which only a nightly rustdoc writes unless RUSTC_BOOTSTRAP is set, and whose format
# differs from version to version: spec/api/rustc.txt names the version that wrote the snapshots, and under another one --check is
# skipped, visibly. Needs python3 and jq.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
case $mode in
  --check | --write) ;;
  *)
    echo "usage: scripts/public-api.sh --check|--write" >&2
    exit 2
    ;;
esac
snapshots=spec/api
version=$(rustc --version)

if [ "$mode" = --check ] && [ "$version" != "$(cat "$snapshots/rustc.txt")" ]; then
  echo "skipped: the public interfaces. Their snapshots are of $(cat "$snapshots/rustc.txt"), this is $version"
  exit 0
fi

libraries() {
  cargo metadata --no-deps --format-version=1 --locked |
    jq -r '.packages[] | select(.metadata."cargo-fuzz" | not) | select(any(.targets[].kind[]; . == "lib")).name'
}

# All crates in one command, with the features of the other commands on the workspace, so that nothing is built again.
export RUSTDOC=$PWD/scripts/public-api/rustdoc
RUSTDOCFLAGS="-Z unstable-options --output-format json" cargo doc --quiet --workspace --lib --no-deps --locked
documents=${CARGO_TARGET_DIR:-target}/doc

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
for library in $(libraries); do
  python3 scripts/public-api/describe.py "$documents/${library//-/_}.json" > "$new/$library.txt"
done
echo "$version" > "$new/rustc.txt"

if [ "$mode" = --write ]; then
  rm -rf "$snapshots"
  mkdir -p "$snapshots"
  cp "$new"/*.txt "$snapshots"
elif ! diff --recursive --new-file --unified=0 "$snapshots" "$new"; then
  echo "error: a public interface is not what its snapshot says: lines with - are gone, lines with + are new." >&2
  echo "If that is intended, run scripts/public-api.sh --write, and say in CHANGELOG.md what users must change." >&2
  exit 1
fi
