#!/usr/bin/env bash
# Takes the screenshots of docs/pages.md. GTR is the path of the program (default target/debug/gtr-cli). Run scripts/browser.sh first:
# it installs the dependencies in tests/browser.
set -euo pipefail
cd "$(dirname "$0")/../.."
gtr=${GTR:-target/debug/gtr-cli}
images=docs/images
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$gtr" plan --compare gtr-16,mar-64 --grid 16x16 --format html --out "$work/plans.html"
node tests/browser/pictures.mjs "$work/plans.html" $images/page-compare.png 800x727 dark 16
"$gtr" sample --class 3 --preset gtr-16 --trace "$work/three.safetensors" --out "$work/three.png"
"$gtr" inspect "$work/three.safetensors" --format html --out "$work/three.html"
node tests/browser/pictures.mjs "$work/three.html" $images/page-trace.png 960x632 light
