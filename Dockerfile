# The image of the KGL backend: one static binary on a base without a shell. See
# docs/decisions/0010-container.md. Build it with `make image`, which fills the arguments in.

# Both can be pinned by digest, as in --build-arg GO_IMAGE=golang:1.26-bookworm@sha256:...
ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
# Where modules come from, for networks that have a mirror of their own.
ARG GOPROXY
ARG GOSUMDB
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
# SQLite is compiled once and then kept in the cache. The times are those of nobody's clock, so that the same
# commit gives the same layer. Everybody may write into /data: the user of the container is chosen when it
# starts, and nobody else is in it.
RUN --mount=type=cache,target=/root/.cache/go-build \
    make build-static VERSION="$VERSION" && \
    install -D -m 0755 bin/kgl /image/usr/local/bin/kgl && \
    install -d -m 1777 -o 65532 -g 65532 /image/data && \
    find /image -exec touch --no-dereference --date=@0 {} +

FROM ${BASE_IMAGE}
COPY --from=build /image/ /
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="kgl-backend" \
      org.opencontainers.image.description="The backend of the Knowledge Graph Lab" \
      org.opencontainers.image.source="https://github.com/peermesh/kgl-backend" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
USER 65532:65532
# The default database, ./data/kgl.db, is in the volume then. No variable says so: one in the image would be
# in the way of a KGL_DATABASE_URL_FILE.
WORKDIR /
ENV KGL_ADDR=:8000
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/kgl", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/kgl"]
CMD ["serve"]
