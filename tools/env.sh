#!/usr/bin/env bash
# Makes the secrets that the profile postgres of compose.yaml reads, each in a file of its own in ./secrets.
# It never replaces a file, so it can be run again; to renew a secret see docs/operations.md.
#
# The files can be read by their owner only. The containers read them all the same: when root runs this,
# the files are given to the user of the image (65532); when somebody else does, the containers run under
# that user's number, which .env tells compose.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

image_user=65532
postgres_init=tools/container/postgres-init.sh

# random BYTES: so many random bytes, in hexadecimal.
random() { od -An -N "$1" -t x1 /dev/urandom | tr -d ' \n'; }

# keep NAME: writes standard input to secrets/NAME, unless that exists. The file appears whole or not at all.
keep() {
  local file=secrets/$1
  if [ -e "$file" ]; then cat >/dev/null && echo "env: $file is kept"; return; fi
  cat >"$file.new"
  chmod 400 "$file.new"
  if [ "$(id -u)" = 0 ]; then chown "$image_user:$image_user" "$file.new"; fi
  mv "$file.new" "$file"
  echo "env: $file was made"
}

mkdir -p secrets
chmod 700 secrets
random 24 | keep postgres_password
printf 'postgres://kgl:%s@postgres:5432/kgl?sslmode=disable' "$(cat secrets/postgres_password)" | keep database_url
head -c 32 /dev/urandom | base64 | keep master_key
random 12 | keep admin_password

# Postgres reads its script under a number of its own, whatever the umask of the clone was.
chmod a+rx "$postgres_init"

if [ "$(id -u)" != 0 ] && ! grep -qs '^CONTAINER_USER=' .env; then
  echo "CONTAINER_USER=$(id -u):$(id -g)" >>.env
  echo 'env: .env says that the containers run under your number'
fi
echo 'env: the first administrator is admin@kgl.local, with the password in secrets/admin_password'
