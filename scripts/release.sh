#!/usr/bin/env bash
# Builds the release archives, one per architecture: the program, manual pages, completions, licences.
#
#   scripts/release.sh [DIR]     writes to DIR, target/dist by default
#
# The program for x86-64 is linked statically, so that it needs no particular C library: for x86_64-unknown-linux-gnu if the static C
# library is installed (libc.a; Debian: libc6-dev), otherwise for x86_64-unknown-linux-musl if rustc has this target. If neither is
# available, it is linked dynamically, and the script prints the glibc version that it needs. aarch64 is cross-compiled if its standard
# library and a linker are installed; otherwise the script skips it and prints the reason. Both programs run on every processor of
# their architecture, because vector instructions are selected at run time.
#
# The same sources and the same rustc give the same archive: its files are sorted and have the time of the last commit (or
# SOURCE_DATE_EPOCH), and the program contains no path of the build machine.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$(realpath -m "${1:-$target_dir/dist}")
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=$(cargo metadata --no-deps --format-version=1 --locked | jq -r '.packages[] | select(.name == "gtr-cli").version')
cargo_home=${CARGO_HOME:-$HOME/.cargo}
flags="--remap-path-prefix=$cargo_home=cargo --remap-path-prefix=$root=gtr"

# Succeeds if rustc has the standard library of a target.
has_std() {
  [ -d "$(rustc --print target-libdir --target "$1" 2> /dev/null)" ]
}

# Builds the program and prints its path: build TARGET RUSTFLAGS.
build() {
  CARGO_PROFILE_RELEASE_STRIP=symbols RUSTFLAGS="$flags $2" \
    cargo build --quiet --release --locked --target "$1" -p gtr-cli &&
    printf '%s\n' "$target_dir/$1/release/gtr-cli"
}

# Builds the program for x86-64, statically linked if possible.
build_x86_64() {
  if [ -f "$(cc -print-file-name=libc.a)" ]; then
    build x86_64-unknown-linux-gnu '-C target-feature=+crt-static'
  elif has_std x86_64-unknown-linux-musl; then
    build x86_64-unknown-linux-musl ''
  else
    build x86_64-unknown-linux-gnu ''
  fi
}

# Builds the program for aarch64, or fails with the reason on standard error.
build_aarch64() {
  if has_std aarch64-unknown-linux-musl; then
    # No C code is compiled, and rustc includes the linker.
    build aarch64-unknown-linux-musl '-C linker=rust-lld'
  elif has_std aarch64-unknown-linux-gnu && command -v aarch64-linux-gnu-gcc > /dev/null; then
    build aarch64-unknown-linux-gnu '-C linker=aarch64-linux-gnu-gcc'
  else
    echo "no standard library for aarch64 with a linker: run \`rustup target add aarch64-unknown-linux-musl\`" >&2
    return 1
  fi
}

# Prints the newest glibc symbol version that a program needs; prints nothing for a static one.
needed_glibc() {
  objdump -T "$1" 2> /dev/null | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1 || true
}

# Packs a program: pack PROGRAM ARCHITECTURE.
pack() {
  local name=gtr-cli-$version-$2-linux
  local folder=$work/$name
  mkdir -p "$folder"
  install -m 755 "$1" "$folder/gtr-cli"
  cp -r "$work/shared/." "$folder"
  local archive=$out/$name.tar.gz
  tar --create --directory "$work" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
    --format=ustar "$name" | gzip --no-name --best > "$archive"
  (cd "$out" && sha256sum "$name.tar.gz" > "$name.tar.gz.sha256")
}

# Writes the files that all archives share: write_shared PROGRAM. The program must run on this machine.
write_shared() {
  local shared=$work/shared
  mkdir -p "$shared/man/man1" "$shared/completions"
  "$1" man --out-dir "$shared/man/man1"
  "$1" completions bash > "$shared/completions/gtr-cli.bash"
  "$1" completions elvish > "$shared/completions/gtr-cli.elv"
  "$1" completions fish > "$shared/completions/gtr-cli.fish"
  "$1" completions powershell > "$shared/completions/_gtr-cli.ps1"
  "$1" completions zsh > "$shared/completions/_gtr-cli"
  python3 scripts/licences.py --texts "$shared/THIRD-PARTY.txt"
  cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$shared"
}

# Unpacks an archive in an empty folder and generates an image there: try_out ARCHIVE.
try_out() {
  local empty=$work/empty
  mkdir "$empty"
  cd "$empty"
  (cd "$out" && sha256sum --check --quiet "$1.sha256")
  tar --extract --file "$out/$1" --strip-components=1
  ./gtr-cli sample --class 7 --out seven.png
  cd "$root"
}

# Prints sizes, the required C library and the checksum: describe ARCHIVE PROGRAM.
describe() {
  local needs
  needs=$(needed_glibc "$2")
  printf '%s: %s bytes, the program %s bytes, needs %s\n' "$out/$1" "$(stat --format=%s "$out/$1")" "$(stat --format=%s "$2")" \
    "${needs:-no C library}"
  printf 'sha256: %s\n' "$(cut -d ' ' -f 1 "$out/$1.sha256")"
}

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "error: expected Linux x86_64, found $(uname -sm)" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

x86_64=$(build_x86_64)
write_shared "$x86_64"
pack "$x86_64" x86_64
if aarch64=$(build_aarch64); then
  pack "$aarch64" aarch64
else
  echo "skipped the archive for aarch64 for the reason above"
  aarch64=
fi

try_out "gtr-cli-$version-x86_64-linux.tar.gz"
describe "gtr-cli-$version-x86_64-linux.tar.gz" "$x86_64"
[ -z "$aarch64" ] || describe "gtr-cli-$version-aarch64-linux.tar.gz" "$aarch64"
