#!/usr/bin/env bash
# Makes the pictures of a growing digit, of inpainting and of figure 3. GTR names the program, by default the release build.
set -euo pipefail
cd "$(dirname "$0")/../.."
gtr=${GTR:-target/release/gtr-cli}
images=docs/images

"$gtr" sample --class 3 --preset gtr-16 --animate $images/three.gif --out $images/three.png
# The mask was painted: black above, white below.
"$gtr" sample --class 2,3,7,8,9 --count 3 --preset gtr-16 --init $images/three.png \
  --mask $images/lower-half.png --out $images/inpainting.png
"$gtr" sample --class 0..9 --order bisection --reseed-reconstruction 7 --out $images/figure-3-checkerboard.png
"$gtr" sample --class 0..9 --order block --reseed-reconstruction 7 --out $images/figure-3-block.png
