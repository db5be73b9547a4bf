#!/usr/bin/env bash
# Makes sure that there is a Docker engine and that it has the base images of Dockerfile and compose.yaml. An
# image that is there is kept, one that is missing is pulled. Only where no registry can be reached, stand-ins
# are made of Debian's packages (Debian as root): good for tests, never to be pushed.
set -euo pipefail
cd "$(dirname "$0")/../.."

images=$(
  sed -n 's/^ARG [A-Z]*_IMAGE=//p' Dockerfile
  sed -n 's/^ *image: \([^$]*\)$/\1/p' compose.yaml
)

# stand_ins: makes them, or says why it cannot.
stand_ins() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "base-images: $1; install Docker, or run this as root on Debian 12, where stand-ins can be made" >&2
    exit 1
  fi
  echo "base-images: $1: making stand-ins (minutes)" >&2
  tools/docker-standins.sh
}

if ! docker info >/dev/null 2>&1; then stand_ins 'no Docker engine answers'; fi
for image in $images; do
  if docker image inspect "$image" >/dev/null 2>&1; then continue; fi
  if ! timeout 300 docker pull "$image"; then stand_ins "$image cannot be pulled"; fi
  docker image inspect "$image" >/dev/null
done
