# syntax=docker/dockerfile:1
# One image for every role (APIFLOW_ROLE): the server with the page inside.

FROM rust:1.95.0-bookworm AS build
COPY --from=node:22-bookworm-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:22-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY rust-toolchain.toml ./
RUN rustup show active-toolchain || rustup toolchain install
COPY . .
# The order WebAssembly, page, server is xtask's knowledge.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/root/.npm \
    cargo xtask build --release && install -D target/release/apiflow /out/apiflow

FROM debian:bookworm-slim
# Root certificates: providers are called over TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home apiflow
COPY --from=build /out/apiflow /usr/local/bin/apiflow
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/apiflow/
USER apiflow
WORKDIR /data
VOLUME /data
ENV APIFLOW_LISTEN=0.0.0.0:8000 APIFLOW_DATA=/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 \
    CMD curl --fail --silent --show-error --output /dev/null http://127.0.0.1:8000/readyz
ENTRYPOINT ["apiflow"]
CMD ["serve"]
