#!/usr/bin/env bash
# Runs the code generators.
#
#   tools/generate.sh write PART   generate, then put what changed into the tree
#   tools/generate.sh check PART   generate beside the tree and fail when the tree differs
#
# PART is sql, api, ts, http, docs, erd or all. Generators always write into a temporary folder first: a failing
# generator leaves the tree as it was, files whose source is gone disappear, and a check works in a
# tree with uncommitted changes.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:?write or check} part=${2:?sql, api, ts, http, docs, erd or all}
flags='-buildvcs=false -tags=sqlite_fts5,netgo,osusergo'
tool() { GOFLAGS=$flags go tool -modfile=tools/go.mod "$@"; }
export GOFLAGS=${GOFLAGS:-$flags}

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$out/gen"

# Folders (or files) that a part owns as a whole.
owned=()

generate_sql() {
  cp -r sqlc.yaml sql "$out/"
  tool sqlc generate -f "$out/sqlc.yaml"
  mkdir -p "$out/gen/pgadapter"
  go run ./server/internal/store/adaptergen "$out/gen/sqlitedb" >"$out/gen/pgadapter/pgadapter.go"
  owned+=(gen/sqlitedb gen/pgdb gen/pgadapter)
}

# oapi PACKAGE CONFIG SPEC
oapi() {
  mkdir -p "$out/gen/$1"
  tool oapi-codegen -config "$2" -package "$1" -o "$out/gen/$1/$1.gen.go" "$3"
  owned+=("gen/$1")
}

generate_api() {
  oapi api oapi-codegen.yaml openapi/openapi.yaml
  oapi client oapi-codegen.client.yaml openapi/openapi.yaml
  oapi aiclient oapi-codegen.client.yaml openapi/ai.yaml
  oapi aiserver oapi-codegen.aiserver.yaml openapi/ai.yaml
}

generate_ts() {
  mkdir -p "$out/gen/ts"
  tools/ts/node_modules/.bin/openapi-typescript openapi/openapi.yaml \
    --alphabetize --root-types --root-types-no-schema-prefix --output "$out/gen/ts/kgl.ts" >/dev/null
  owned+=(gen/ts)
}

generate_http() {
  mkdir -p "$out/gen/http"
  node tools/ts/http-file.mjs openapi/openapi.yaml >"$out/gen/http/kgl.http"
  owned+=(gen/http)
}

# Pages whose code blocks come from tested programs.
generate_docs() {
  mkdir -p "$out/docs"
  node tools/ts/snippets.mjs docs/integration.md >"$out/docs/integration.md"
  owned+=(docs/integration.md)
}

generate_erd() {
  mkdir -p "$out/docs"
  go run ./server/internal/store/erd >"$out/docs/erd.md"
  owned+=(docs/erd.md)
}

case $part in
  all) generate_sql; generate_api; generate_ts; generate_http; generate_docs; generate_erd ;;
  sql | api | ts | http | docs | erd) "generate_$part" ;;
  *) echo "generate.sh: no part $part" >&2; exit 2 ;;
esac

stale=0
for path in "${owned[@]}"; do
  if [ "$mode" = check ]; then
    diff -ruN "$path" "$out/$path" || stale=1
  elif ! diff -rqN "$path" "$out/$path" >/dev/null 2>&1; then
    rm -rf "$path"
    mkdir -p "$(dirname "$path")"
    cp -r "$out/$path" "$path"
    echo "generated $path"
  fi
done
if [ "$stale" = 1 ]; then
  echo 'generate.sh: generated code is stale or was edited by hand: run make generate' >&2
  exit 1
fi
