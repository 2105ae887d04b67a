#!/usr/bin/env bash
# Generates the images of the documentation.
#
#   scripts/gallery.sh [plans | samples | all] [FOLDER]
#
# `plans` are figures of plans, `samples` are sampled images; the default is both. FOLDER defaults to docs/images. GTR is the path of
# the program (default target/debug/gtr-cli).
set -euo pipefail
cd "$(dirname "$0")/.."
gtr=${GTR:-target/debug/gtr-cli}
what=${1:-all}
images=${2:-docs/images}

# The same bytes on every machine.
plans() {
  "$gtr" plan --preset gtr-paper --grid 16x16 --out "$images/plan.svg"
  "$gtr" plan --compare gtr-16,mar-16,disa-16 --grid 8x8 --out "$images/presets.svg"
  "$gtr" plan --stages 5 --cut diagonal --out "$images/diagonal.svg"
  "$gtr" plan --stages 5 --cut quincunx --out "$images/quincunx.svg"
  "$gtr" presets --plot "$images/loss.svg"
}

# The same bytes for the same program on the same kind of processor. On others, a few pixels may differ slightly.
samples() {
  "$gtr" sample --class 0..9 --count 10 --out "$images/digits.png"
  "$gtr" sample --class 3 --preset gtr-16 --animate "$images/three.gif" --out "$images/three.png"
  # The mask was painted: black above, white below. The image records both file names, so they must not change.
  "$gtr" sample --class 2,3,7,8,9 --count 3 --preset gtr-16 --init docs/images/three.png \
    --mask docs/images/lower-half.png --out "$images/inpainting.png"
  "$gtr" inspect "$images/inpainting.png" --plan-out "$images/inpainting.json" > /dev/null
  "$gtr" plan --plan "$images/inpainting.json" --out "$images/inpainting-plan.svg"
  rm "$images/inpainting.json"
  "$gtr" sample --class 0..9 --order bisection --reseed-reconstruction 7 --out "$images/figure-3-checkerboard.png"
  "$gtr" sample --class 0..9 --order block --reseed-reconstruction 7 --out "$images/figure-3-block.png"
}

case $what in
  plans | samples) "$what" ;;
  all) plans && samples ;;
  *) echo "gallery.sh: expected plans, samples or all, found $what" >&2 && exit 2 ;;
esac
