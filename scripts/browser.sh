#!/usr/bin/env bash
# Tests the HTML pages of gtr-cli in headless Chromium.
#
#   scripts/browser.sh [TEST FILES]
#
# CHROMIUM is the path of the browser (default /usr/bin/chromium). GTR_CLI is the path of the program; without it, it is built. Missing
# dependencies are installed: Chromium with apt-get, which needs root on Debian, and the browser driver with npm.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v npm >/dev/null || { echo "error: node 20 or newer and npm are needed" >&2; exit 1; }
export CHROMIUM=${CHROMIUM:-/usr/bin/chromium}
if ! [ -x "$CHROMIUM" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: $CHROMIUM does not exist: install Chromium, or set CHROMIUM to its path" >&2
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
