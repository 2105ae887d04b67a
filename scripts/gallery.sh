#!/usr/bin/env bash
# Makes the pictures of the documentation: `gallery.sh plans` the figures of plans, `gallery.sh samples` the sampled images, no
# word both; a second word names another folder than docs/images. GTR names the program, by default the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
gtr=${GTR:-target/release/gtr-cli}
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

# The same bytes for the same program on the same kind of processor; elsewhere a few pixels may differ by a shade.
samples() {
  "$gtr" sample --class 0..9 --count 10 --out "$images/digits.png"
  "$gtr" sample --class 3 --preset gtr-16 --animate "$images/three.gif" --out "$images/three.png"
  # The mask was painted: black above, white below. A picture records the names of both, so they are always these.
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
  *) echo "gallery.sh: choose plans or samples, not $what" >&2 && exit 2 ;;
esac
