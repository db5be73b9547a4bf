#!/usr/bin/env bash
# The calls of docs/integration.md, one after the other, against a running service. It adds a source, an
# account and an entity, and deletes them again.
#
#   BACKEND_URL=http://127.0.0.1:8000 BACKEND_EMAIL=... BACKEND_PASSWORD=... examples/curl/tour.sh
set -euo pipefail

API=${BACKEND_URL:-http://127.0.0.1:8000}/api/v1
EMAIL=${BACKEND_EMAIL:?} PASSWORD=${BACKEND_PASSWORD:?}

# region login
# field NAME: the first text of that name in a JSON answer. A program uses a JSON library.
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' | head -n 1; }

TOKENS=$(curl -sS --fail-with-body "$API/auth/login" -H 'Content-Type: application/json' \
  -d "{\"email\":\"$EMAIL\",\"password\":\"$PASSWORD\"}")
AUTH="Authorization: Bearer $(field access_token <<<"$TOKENS")"
# endregion login

echo '# who am I'
# region me
curl -sS --fail-with-body "$API/auth/me" -H "$AUTH"
# endregion me
echo

echo '# two pages of a list'
# region pages
PAGE=$(curl -sS --fail-with-body "$API/content?status=processed&view=summary&limit=2" -H "$AUTH")
CURSOR=$(field next_cursor <<<"$PAGE")
curl -sS --fail-with-body "$API/content?status=processed&view=summary&limit=2&cursor=$CURSOR" -H "$AUTH"
# endregion pages
echo

echo '# a read that is still fresh'
# region etag
TAG=$(curl -sS -o /dev/null -D - "$API/content?limit=2&duplicates=only" -H "$AUTH" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
curl -sS -o /dev/null -w '%{http_code}\n' "$API/content?limit=2&duplicates=only" -H "$AUTH" -H "If-None-Match: $TAG"   # 304
# endregion etag

echo '# an entity, created once although it is sent twice'
# region create
KEY="tour-$$-$RANDOM"
for _ in first again; do
  ENTITY=$(curl -sS -w '\n%{http_code}' "$API/entities" -H "$AUTH" -H "Idempotency-Key: $KEY" -H 'Content-Type: application/json' \
    -d "{\"name\":\"Tour Fund $KEY\",\"type\":\"grant\"}")
  echo "$ENTITY"   # 201 with the same id both times
done
ENTITY_ID=$(field id <<<"$ENTITY")
# endregion create

echo '# a change to the state that was read, and one to a state that has passed'
# region change
TAG=$(curl -sS -o /dev/null -D - "$API/entities/$ENTITY_ID" -H "$AUTH" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
for _ in first again; do
  curl -sS -o /dev/null -w '%{http_code}\n' -X PATCH "$API/entities/$ENTITY_ID" -H "$AUTH" -H "If-Match: $TAG" \
    -H 'Content-Type: application/json' -d '{"description":"A fund for the tour."}'   # 200, then 412
done
# endregion change
curl -sS --fail-with-body -X DELETE "$API/entities/$ENTITY_ID" -H "$AUTH"

echo '# an answer that says what is wrong'
# region problem
curl -sS "$API/sources" -H "$AUTH" -H 'Content-Type: application/json' -d '{"url":"ftp://example.org/feed"}'
# endregion problem
echo

echo '# an account for a module, its tokens exchanged and its session ended'
# region account
ACCOUNT=$(curl -sS --fail-with-body "$API/users" -H "$AUTH" -H 'Content-Type: application/json' \
  -d "{\"email\":\"$KEY@example.org\",\"name\":\"AI module\",\"role\":\"moderator\",\"password\":\"$KEY and a quiet sentence\"}")
MODULE=$(curl -sS --fail-with-body "$API/auth/login" -H 'Content-Type: application/json' \
  -d "{\"email\":\"$KEY@example.org\",\"password\":\"$KEY and a quiet sentence\"}")
# endregion account
# region refresh
MODULE=$(curl -sS --fail-with-body "$API/auth/refresh" -H 'Content-Type: application/json' \
  -d "{\"refresh_token\":\"$(field refresh_token <<<"$MODULE")\"}")
curl -sS -o /dev/null -w '%{http_code}\n' -X POST "$API/auth/logout" -H "Authorization: Bearer $(field access_token <<<"$MODULE")"   # 204
curl -sS -o /dev/null -w '%{http_code}\n' "$API/auth/me" -H "Authorization: Bearer $(field access_token <<<"$MODULE")"              # 401
# endregion refresh
curl -sS --fail-with-body -X DELETE "$API/users/$(field id <<<"$ACCOUNT")" -H "$AUTH"
echo '# done'
