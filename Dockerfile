# One image for the three programs; docker-compose.yml says which runs.
FROM golang:1.26 AS build
WORKDIR /src
# Dependencies first, so that a change of the code does not fetch them again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Static, so that the runtime image needs no C library of the build's.
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/ ./cmd/extractor ./cmd/normalizer ./cmd/chatlake

# Alpine for its certificates and for busybox wget, which the health checks use.
FROM alpine:3.22
COPY --from=build /out/extractor /out/normalizer /out/chatlake /usr/local/bin/
# The normalizer's ./state, made here with its owner: a volume that is mounted on it takes both over.
RUN adduser -D -H -u 10001 -g '' chatlake \
 && mkdir -p /var/lib/chatlake/state \
 && chown -R 10001:10001 /var/lib/chatlake \
 && chmod -R 0700 /var/lib/chatlake
USER 10001:10001
WORKDIR /var/lib/chatlake
# Inside a container loopback would reach nobody.
ENV HTTP_ADDR=:9480
EXPOSE 9480 9481
STOPSIGNAL SIGTERM
CMD ["chatlake", "--help"]
