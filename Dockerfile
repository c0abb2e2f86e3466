# For those who have a container engine; `make image` needs none. The same programs
# with the same flags, but with the base images' certificate authorities.
#
#   docker build -t serin.dev/serin:dev .
#   docker build -t serin.dev/loadtester:dev --target loadtester .

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETARCH
ARG VERSION=dev
ENV CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH GOFLAGS=-mod=readonly GOWORK=off
RUN mkdir /out && go build -trimpath -buildvcs=false \
      -ldflags "-s -w -buildid= -X main.version=$VERSION" -o /out/ ./cmd/serin ./cmd/loadtester

FROM debian:bookworm-slim AS loadtester
RUN apt-get update \
 && apt-get install -y --no-install-recommends bash ca-certificates curl grep jq wget wrk \
 && rm -rf /var/lib/apt/lists/* \
 && ln -sf bash /bin/sh
COPY --from=build /out/loadtester /home/app/loadtester
RUN for name in hey ghz grpc_health_probe loadtester; do ln -s /home/app/loadtester /usr/bin/$name; done
WORKDIR /home/app
ENV HOME=/tmp
USER 65532:65532
ENTRYPOINT ["/home/app/loadtester"]

# Last, so that it is what a build without --target makes.
FROM scratch AS serin
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/serin /serin
USER 65532:65532
ENTRYPOINT ["/serin"]
