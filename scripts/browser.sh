#!/usr/bin/env bash
# Tries the pages that gtr-cli writes in headless Chromium, whose path CHROMIUM may name: scripts/browser.sh [files of tests].
# GTR_CLI names the program; without it, it is built. What is missing is installed: Chromium by Debian's package manager, for
# which one must be root, and the driver of the browser from the registry of npm.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v npm >/dev/null || { echo "error: node 20 or newer and npm are needed" >&2; exit 1; }
export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
if ! [ -x "$CHROMIUM" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: there is no $CHROMIUM: install Chromium, or set CHROMIUM to its path" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null
fi
if [ -z "${GTR_CLI:-}" ]; then
  cargo build --locked -p gtr-cli
  GTR_CLI=${CARGO_TARGET_DIR:-target}/debug/gtr-cli
fi
GTR_CLI=$(realpath "$GTR_CLI")
export GTR_CLI
cd tests/browser
npm ci --no-audit --no-fund --loglevel=error
exec node --test "$@"
