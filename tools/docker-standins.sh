#!/usr/bin/env bash
# docker-standins.sh - on a bare Debian 12 machine that reaches only Debian's
# mirror (no image registry), set up a Docker engine, compose v2, buildx, and
# local stand-in images under the tags that the project's Dockerfile and
# compose.yaml name, so that both build and run unmodified:
#   golang:$GO_TAG                            this host's Go on Debian bookworm with gcc/g++/make/git
#   debian:bookworm-slim
#   gcr.io/distroless/{static,base,cc}-debian12:{nonroot,latest}
#   pgvector/pgvector:pg17, postgres:17       Debian trixie's PostgreSQL 17 + pgvector
# The stand-ins are for local tests only: never push them.
# Needs root. Idempotent: an image or root folder that exists is kept (FORCE=1 remakes).
set -euo pipefail
WORK=${WORK:-/var/tmp/docker-standins}
PLUGINS=${PLUGINS:-/usr/local/lib/docker/cli-plugins}
GO_TAG=${GO_TAG:-1.26-bookworm}
FORCE=${FORCE:-}
mkdir -p "$WORK" "$PLUGINS"
log() { echo "[standins] $*" >&2; }
MIRROR=$(awk '$1=="URIs:"{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||:)
[ -n "$MIRROR" ] || MIRROR=$(awk '$1=="deb"{for(i=2;i<=NF;i++) if ($i ~ /^http/) {print $i; exit}}' /etc/apt/sources.list)
KEY=/usr/share/keyrings/debian-archive-keyring.gpg

# ---- engine --------------------------------------------------------------
need=; for p in docker.io debootstrap iptables ca-certificates; do dpkg -s $p >/dev/null 2>&1 || need="$need $p"; done
if [ -n "$need" ]; then apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null; fi
if ! docker info >/dev/null 2>&1; then
  log "starting dockerd"
  nohup /usr/sbin/dockerd >"$WORK/dockerd.log" 2>&1 &
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
fi
docker info >/dev/null

# ---- compose v2 + buildx from trixie (only the two binaries; they need libc6 >= 2.34) ----
if [ ! -x "$PLUGINS/docker-compose" ] || [ ! -x "$PLUGINS/docker-buildx" ]; then
  log "compose v2 and buildx plugins"
  mkdir -p "$WORK/lists/partial" "$WORK/debs"
  echo "deb [signed-by=$KEY] $MIRROR trixie main" >"$WORK/trixie.list"
  A="-o Dir::Etc::SourceList=$WORK/trixie.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$WORK/lists -o APT::Sandbox::User=root"
  apt-get $A -qq update
  (cd "$WORK/debs" && apt-get $A -qq download docker-compose/trixie docker-buildx/trixie)
  for d in "$WORK"/debs/docker-{compose,buildx}_*.deb; do dpkg-deb -x "$d" "$WORK/debs/x"; done
  install -m755 "$WORK"/debs/x/usr/libexec/docker/cli-plugins/docker-{compose,buildx} "$PLUGINS/"
fi

have() { [ -z "$FORCE" ] && docker image inspect "$1" >/dev/null 2>&1; }
root() { # root NAME SUITE PACKAGES
  [ -n "$FORCE" ] && rm -rf "$WORK/$1"
  if [ ! -e "$WORK/$1/.done" ]; then
    log "debootstrap $1"; rm -rf "$WORK/$1"
    debootstrap --variant=minbase --include="$3" "$2" "$WORK/$1" "$MIRROR" >"$WORK/$1.log" 2>&1
    # this machine's own CA certificates, for networks with a certificate authority of their own
    if [ -d "$WORK/$1/usr/share/ca-certificates" ]; then
      mkdir -p "$WORK/$1/usr/local/share/ca-certificates"
      cp /usr/local/share/ca-certificates/*.crt "$WORK/$1/usr/local/share/ca-certificates/" 2>/dev/null ||:
      chroot "$WORK/$1" update-ca-certificates >/dev/null 2>&1
    fi
    rm -rf "$WORK/$1"/var/cache/apt/archives/*.deb "$WORK/$1"/var/lib/apt/lists/* "$WORK/$1"/usr/share/{doc,man,locale}/*
    touch "$WORK/$1/.done"
  fi
}
imp() { # imp DIR TAG [--change ...]
  local d=$1 t=$2; shift 2
  tar -C "$d" --exclude=./.done --numeric-owner -c . | docker import "$@" - "$t" >/dev/null; log "image $t"
}

# ---- debian:bookworm-slim and golang ---------------------------------------
root bookworm bookworm ca-certificates
have debian:bookworm-slim || imp "$WORK/bookworm" debian:bookworm-slim --change 'CMD ["bash"]'
if ! have golang:$GO_TAG; then
  root gobase bookworm ca-certificates,curl,git,g++,gcc,libc6-dev,make,pkg-config,openssh-client,procps,wget,tzdata
  rm -rf "$WORK/gobase/usr/local/go"; mkdir -p "$WORK/gobase/go/src" "$WORK/gobase/go/bin"; chmod -R 1777 "$WORK/gobase/go"
  cp -a "$(go env GOROOT)" "$WORK/gobase/usr/local/go"
  imp "$WORK/gobase" golang:$GO_TAG \
    --change 'ENV GOLANG_VERSION='"$(go env GOVERSION | sed s/go//)" --change 'ENV GOTOOLCHAIN=local' --change 'ENV GOPATH=/go' \
    --change 'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'WORKDIR /go' --change 'CMD ["bash"]'
fi

# ---- distroless: Debian's own packages unpacked, no shell, no package manager ----
distroless() { # distroless NAME PACKAGES
  local d="$WORK/dl-$1"
  if have gcr.io/distroless/$1-debian12:nonroot; then return; fi
  rm -rf "$d"; mkdir -p "$d"
  (mkdir -p "$WORK/dldebs" && cd "$WORK/dldebs" && for p in $2; do ls ${p}_*.deb >/dev/null 2>&1 || apt-get -qq -o APT::Sandbox::User=root download $p; done)
  # merged /usr, as in bookworm
  mkdir -p "$d/usr/bin" "$d/usr/sbin" "$d/usr/lib" "$d/usr/lib64"; for l in bin sbin lib lib64; do ln -s usr/$l "$d/$l"; done
  for p in $2; do dpkg-deb --fsys-tarfile "$WORK"/dldebs/${p}_*.deb | tar -x --keep-directory-symlink -C "$d"; done
  rm -rf "$d"/usr/share/{doc,man,locale} "$d"/usr/bin/* "$d"/usr/sbin/*
  mkdir -p "$d/etc/ssl/certs" "$d/tmp" "$d/home/nonroot" "$d/root" "$d/var/tmp" "$d/proc" "$d/sys" "$d/dev" "$d/run"
  cp "$WORK/bookworm/etc/ssl/certs/ca-certificates.crt" "$d/etc/ssl/certs/"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >"$d/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n' >"$d/etc/group"
  printf 'hosts: files dns\n' >"$d/etc/nsswitch.conf"
  chmod 1777 "$d/tmp" "$d/var/tmp"; chown -R 65532:65532 "$d/home/nonroot"; chmod 700 "$d/home/nonroot"
  [ -e "$d/etc/ld.so.conf" ] || printf '/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n' >"$d/etc/ld.so.conf"
  local env=(--change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt')
  imp "$d" gcr.io/distroless/$1-debian12:nonroot "${env[@]}" --change 'USER 65532' --change 'WORKDIR /home/nonroot'
  imp "$d" gcr.io/distroless/$1-debian12:latest "${env[@]}" --change 'USER 0' --change 'WORKDIR /'
}
distroless static "base-files netbase tzdata"
distroless base "base-files netbase tzdata libc6 libssl3"
distroless cc "base-files netbase tzdata libc6 libssl3 libgcc-s1 libstdc++6 libgomp1"

# ---- PostgreSQL 17 + pgvector ----------------------------------------------
if ! have pgvector/pgvector:pg17; then
  root trixie-pg trixie postgresql-17,postgresql-17-pgvector,ca-certificates
  R="$WORK/trixie-pg"
  rm -rf "$R"/etc/postgresql/17 "$R"/var/lib/postgresql/17
  chroot "$R" groupmod -g 999 -o postgres 2>/dev/null ||:
  chroot "$R" usermod -u 999 -g 999 -o postgres 2>/dev/null ||:
  mkdir -p "$R/docker-entrypoint-initdb.d" "$R/var/lib/postgresql/data" "$R/var/run/postgresql"
  chown -R 999:999 "$R/var/lib/postgresql" "$R/var/run/postgresql"; chmod 3777 "$R/var/run/postgresql"; chmod 1777 "$R/var/lib/postgresql/data"
  # as in the official image: listen everywhere
  sed -i "s/^#\?listen_addresses.*/listen_addresses = '*'/" "$R/usr/share/postgresql/17/postgresql.conf.sample"
  cat >"$R/usr/local/bin/docker-entrypoint.sh" <<'SH'
#!/usr/bin/env bash
# A small equivalent of the official postgres image's entrypoint.
set -Eeuo pipefail
file_env() { local f="$1_FILE"; if [ -n "${!f:-}" ]; then export "$1"="$(<"${!f}")"; unset "$f"; fi; }
[ "${1:0:1}" = '-' ] && set -- postgres "$@"
if [ "$1" = postgres ]; then
  file_env POSTGRES_PASSWORD; file_env POSTGRES_USER; file_env POSTGRES_DB
  : "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_HOST_AUTH_METHOD:=scram-sha-256}" "${PGDATA:=/var/lib/postgresql/data}"
  export PGDATA
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql; chmod 700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
  fi
  mkdir -p "$PGDATA"; chmod 700 "$PGDATA" 2>/dev/null ||:
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
      echo 'Error: Database is uninitialized and superuser password is not specified.' >&2; exit 1; fi
    initdb -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-x}") ${POSTGRES_INITDB_ARGS:-} >/dev/null
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"
    export PGPASSWORD="${POSTGRES_PASSWORD:-}"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start >/dev/null
    q=(psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER" --no-password)
    [ "$POSTGRES_DB" = postgres ] || "${q[@]}" -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    for f in /docker-entrypoint-initdb.d/*; do case "$f" in
      *.sh) if [ -x "$f" ]; then "$f"; else . "$f"; fi ;;
      *.sql) "${q[@]}" -d "$POSTGRES_DB" -f "$f" ;;
      *.sql.gz) gunzip -c "$f" | "${q[@]}" -d "$POSTGRES_DB" ;;
    esac; done
    pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
    unset PGPASSWORD
  fi
fi
exec "$@"
SH
  chmod 755 "$R/usr/local/bin/docker-entrypoint.sh"
  imp "$R" standins/pg17-root:latest
  # docker import knows no STOPSIGNAL (SIGINT is PostgreSQL's fast shutdown), so a small build on top
  mkdir -p "$WORK/empty"
  DOCKER_BUILDKIT=0 docker build -q -t pgvector/pgvector:pg17 -f - "$WORK/empty" >/dev/null 2>&1 <<'DF'
FROM standins/pg17-root:latest
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin LANG=C.UTF-8 PG_MAJOR=17 PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DF
  log "image pgvector/pgvector:pg17"
fi
have postgres:17 || docker tag pgvector/pgvector:pg17 postgres:17
docker images
