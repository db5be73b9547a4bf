#!/usr/bin/env bash
# Makes the secrets that the profile postgres of compose.yaml reads, each in a file of its own in ./secrets.
# It never replaces a file, so it can be run again; to renew a secret see docs/operations.md.
#
# Besides whoever runs this only the containers can read the files: they belong to the group 65532, which is
# that of the user in the image and of nobody on this machine. Only root may give a file to such a group;
# for anybody else Docker does it.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

image_group=65532
postgres_init=tools/container/postgres-init.sh

# random BYTES: so many random bytes, in hexadecimal.
random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

# keep NAME: writes standard input to secrets/NAME, unless that exists. The file appears whole or not at all.
keep() {
  local file=secrets/$1
  if [ -e "$file" ]; then cat >/dev/null && echo "env: $file is kept"; return; fi
  cat >"$file.new"
  mv "$file.new" "$file"
  echo "env: $file was made"
}

mkdir -p secrets
chmod 700 secrets
random 24 | keep postgres_password
printf 'postgres://kgl:%s@postgres:5432/kgl?sslmode=disable' "$(cat secrets/postgres_password)" | keep database_url
head -c 32 /dev/urandom | base64 | keep master_key
random 12 | keep admin_password

# as_root PROGRAM ARGUMENT...: runs a program of GNU's on ./secrets as root.
as_root() {
  if [ "$(id -u)" = 0 ]; then (cd secrets && "$@"); return; fi
  docker run --rm --network none --user 0 --volume "$PWD/secrets:/secrets" --workdir /secrets --entrypoint "$1" \
    "$(sed -n 's/^ *image: \(pgvector.*\)$/\1/p' compose.yaml)" "${@:2}"
}

if [ -n "$(find secrets -type f \( ! -group "$image_group" -o ! -perm 440 \))" ]; then
  as_root chgrp "$image_group" database_url master_key admin_password postgres_password || {
    echo 'env: the containers cannot read ./secrets yet: run this again where Docker runs, or as root' >&2
    exit 1
  }
  as_root chmod 440 database_url master_key admin_password postgres_password
fi

# Postgres reads its script under a number of its own, whatever the umask of the clone was.
find "$postgres_init" ! -perm -555 -exec chmod a+rx {} +
echo 'env: the first administrator is admin@kgl.local, with the password in secrets/admin_password'
