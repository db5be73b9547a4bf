#!/usr/bin/env bash
# Runs a command that tests with Docker, and afterwards removes what it left behind, also when it was broken
# off: every container, volume and network whose name begins with KGL_TEST_RUN.
#
#   tools/container/test.sh go test ...
set -euo pipefail

KGL_TEST_RUN=kgltest-$(od -An -N 4 -t x1 /dev/urandom | tr -d ' \n')
export KGL_TEST_RUN

clean() {
  local left
  left=$(docker ps --all --quiet --filter "name=^/?$KGL_TEST_RUN")
  [ -z "$left" ] || docker rm --force --volumes $left >/dev/null
  left=$(docker volume ls --quiet --filter "name=^$KGL_TEST_RUN")
  [ -z "$left" ] || docker volume rm --force $left >/dev/null
  left=$(docker network ls --quiet --filter "name=^$KGL_TEST_RUN")
  [ -z "$left" ] || docker network rm $left >/dev/null
}
trap clean EXIT

"$@"
