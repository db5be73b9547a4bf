#!/usr/bin/env bash
# Runs every fuzz target of the given packages for a while each.
#
#   tools/fuzz.sh 30s ./...
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${1:?time for each target, such as 30s}
shift

failed=()
found=0
for package in $(go list "${@:-./...}"); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    found=$((found + 1))
    echo "== $package $target"
    go test -run '^$' -fuzz "^${target}\$" -fuzztime "$fuzztime" "$package" || failed+=("$package $target")
  done
done

if [ ${#failed[@]} -gt 0 ]; then
  printf 'fuzz: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
[ "$found" -gt 0 ] || { echo 'fuzz: no fuzz target found' >&2; exit 1; }
echo "fuzz: $found targets, $fuzztime each, no failure"
