#!/usr/bin/env bash
# Compares openapi/openapi.yaml with the contract that was released last.
#
#   tools/compat/compat.sh            the newest tag vX.Y.Z of this repository
#   BASE=ref tools/compat/compat.sh   the contract of another commit, branch or tag
#
# Fails on a change that could break a client of that contract (docs/versioning.md), and when a contract
# that differs from the released one still has its version. OASDIFF names the program when it is built.
#
# openapi/ai.yaml is what others serve to us: there, a module that was built on the released contract must
# still do for what is asked now. So it is compared the other way round.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

contract=openapi/openapi.yaml
# A deprecated operation is announced this many days before it may go.
notice=180

say() { echo "verify-compat: $*"; }
die() { say "$@" >&2; exit 1; }

# newest_release prints the highest tag of the form vX.Y.Z.
newest_release() {
  git tag --list 'v*' --sort=-version:refname | grep -E '^v[0-9]+\.[0-9]+\.[0-9]+$' | head -n 1 || true
}

version_of() { sed -n 's/^  version: *"\{0,1\}\([0-9][^" ]*\)"\{0,1\} *$/\1/p' "$1" | head -n 1; }

# newer A B: is version A higher than version B?
newer() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]; }

if ! top=$(git rev-parse --show-toplevel 2>&1); then
  [ ! -e .git ] || die "git: $top"
  say 'not a git repository: nothing to compare with'
  exit 0
fi
cd "$top"

release=
base=${BASE:-}
if [ -z "$base" ]; then
  release=$(newest_release)
  if [ -z "$release" ] && [ "$(git rev-parse --is-shallow-repository)" = true ]; then
    # A shallow clone usually comes without tags: ask where it came from, without questions.
    GIT_TERMINAL_PROMPT=0 timeout 30 git fetch --quiet --depth=1 origin 'refs/tags/v*:refs/tags/v*' 2>/dev/null ||
      say 'this clone is shallow and its origin could not be asked for release tags' >&2
    release=$(newest_release)
  fi
  base=$release
fi
if [ -z "$base" ]; then
  say 'no release tag (vX.Y.Z) here: nothing to compare with. Name a commit: make verify-compat BASE=ref'
  exit 0
fi

git rev-parse --quiet --verify "$base^{commit}" >/dev/null || die "$base is not a commit of this clone (in a shallow one: git fetch --depth=1 origin $base)"
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git show "$base:$contract" >"$old/base.yaml" 2>/dev/null || { say "$base has no $contract: nothing to compare with"; exit 0; }

# compare OLD NEW ARGUMENT...: what breaks clients of OLD; 0, 1 or, when the two cannot be compared, more.
compare() { "${OASDIFF:-oasdiff}" breaking "$1" "$2" --color never --allow-external-refs=false "${@:3}"; }

# raised OLD CONTRACT: a contract that differs from that of a release has a higher version.
raised() {
  if [ -z "$release" ] || cmp -s "$1" "$2"; then return 0; fi
  local was is
  was=$(version_of "$1") is=$(version_of "$2")
  newer "$is" "$was" || die "$2 differs from that of $release and still has version $is: raise info.version"
}

accepted=()
# Breaks that a person judged to be harmless, in the words of the report.
[ -s tools/compat/accepted.txt ] && accepted=(--err-ignore tools/compat/accepted.txt --warn-ignore tools/compat/accepted.txt)
status=0
compare "$old/base.yaml" "$contract" --fail-on WARN --deprecation-days-stable "$notice" \
  --severity-levels "$here/levels.txt" "${accepted[@]}" || status=$?
case $status in
  0) ;;
  1) die "the contract breaks clients of $base: make the change additive, or see docs/versioning.md" ;;
  *) die "oasdiff could not compare the contracts (status $status)" ;;
esac
raised "$old/base.yaml" "$contract"

ai=openapi/ai.yaml
if [ -e "$ai" ] && git show "$base:$ai" >"$old/ai.yaml" 2>/dev/null; then
  compare "$ai" "$old/ai.yaml" --fail-on ERR --severity-levels "$here/levels-ai.txt" "${accepted[@]}" || status=$?
  case $status in
    0) ;;
    1) die "an AI module that was built on $base does not do for $ai any more: ask for less, or see docs/versioning.md" ;;
    *) die "oasdiff could not compare $ai (status $status)" ;;
  esac
  raised "$old/ai.yaml" "$ai"
fi
say "compatible with $base"
