#!/bin/sh
# Makes dist/walferry: fetches the pinned Deno where it is missing, bundles, builds, and tries the result. Options: build/executable.ts.
set -eu

version=2.9.6
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$root"

is_pinned() {
  case $("$1" --version 2>/dev/null) in
  "deno $version "*) return 0 ;;
  *) return 1 ;;
  esac
}

fetched() {
  for deno in .deno/node_modules/@deno/*/deno; do
    if is_pinned "$deno"; then
      # The platform's own executable; npm's wrapper around it would start Node first.
      ln -sfn "${deno#.deno/}" .deno/deno
      return 0
    fi
  done
  return 1
}

if command -v deno >/dev/null && is_pinned deno; then
  deno=deno
else
  if ! fetched; then
    if ! command -v npm >/dev/null; then
      echo "compile: neither Deno $version nor npm to fetch it with is installed" >&2
      exit 1
    fi
    npm install --prefix .deno --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error "deno@$version"
    if ! fetched; then
      echo "compile: the package deno@$version brought no executable that runs on this machine" >&2
      exit 1
    fi
  fi
  deno=$root/.deno/deno
fi

export DENO_NO_UPDATE_CHECK=1
"$deno" install --quiet --frozen
exec "$deno" run --quiet --allow-all --no-prompt build/executable.ts "$@"
