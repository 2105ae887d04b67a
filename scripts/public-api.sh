#!/usr/bin/env bash
# Keeps snapshots of the public interfaces of the library crates, so that breaking changes are visible in review.
#
#   scripts/public-api.sh --check    fails, with a diff, if an interface differs from its snapshot in spec/api/
#   scripts/public-api.sh --write    writes the snapshots
#
# The library crates are all members of the workspace with a target of kind `lib`, except the fuzz targets. They are described with their
# default features, from the JSON output of rustdoc. A stable rustdoc writes it only with RUSTC_BOOTSTRAP, and its format depends on the
# version. spec/api/rustc.txt contains the version that wrote the snapshots; with another version, --check is skipped with a message.
# Needs python3.
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
  echo "skipped the public interfaces: the snapshots are of $(cat "$snapshots/rustc.txt"), found $version"
  exit 0
fi

libraries() {
  cargo metadata --no-deps --format-version=1 --locked | python3 -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    kinds = [kind for target in package["targets"] for kind in target["kind"]]
    if "lib" in kinds and not (package["metadata"] or {}).get("cargo-fuzz"):
        print(package["name"])
'
}

# Document all crates in one command, so that the features are those of the other commands and nothing is built again.
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
  echo "error: a public interface differs from its snapshot: lines with - were removed, lines with + are new" >&2
  echo "If the change is intended, run scripts/public-api.sh --write and tell users in CHANGELOG.md what they must change." >&2
  exit 1
fi
