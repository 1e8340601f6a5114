# One image per runtime: docker build --target node . (or --target deno). Both hold the same bundle and no node_modules.
#
# It listens on 127.0.0.1, which is right beside another container of the same pod. To publish the port, give it a token:
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 8787:8787 \
#     -e SIDESOCKET_HOST=0.0.0.0 -e SIDESOCKET_TOKEN=… IMAGE --upstream wss://example.org/socket
ARG NODE_VERSION=24
ARG DENO_VERSION=2.9.6

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN ["npm", "ci"]
COPY LICENSE ./
COPY scripts/build.mjs ./scripts/
COPY src ./src
RUN ["node", "scripts/build.mjs", "--cli"]

FROM denoland/deno:bin-${DENO_VERSION} AS deno-binary

# tini: as process 1, a runtime could not end itself by a signal.
FROM node:${NODE_VERSION}-bookworm-slim AS node
RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json LICENSE scripts/healthy.mjs ./
COPY --from=build /app/dist ./dist
ENV NODE_ENV=production NODE_OPTIONS="" WS_NO_BUFFER_UTIL=1
USER 65532:65532
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["node", "healthy.mjs"]
ENTRYPOINT ["tini", "--", "node", "dist/main.js"]

FROM debian:bookworm-slim AS deno
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tini && rm -rf /var/lib/apt/lists/*
COPY --from=deno-binary /deno /usr/local/bin/deno
WORKDIR /app
COPY package.json LICENSE scripts/healthy.mjs ./
COPY --from=build /app/dist ./dist
# Cached now, since nothing can be written later.
ENV DENO_DIR=/app/.deno DENO_NO_UPDATE_CHECK=1 WS_NO_BUFFER_UTIL=1
RUN ["deno", "cache", "dist/main.js", "dist/cli/sidesocket-thread.mjs", "healthy.mjs"]
USER 65532:65532
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["deno", "run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-env=PORT,SIDESOCKET_LISTEN_PATH", "healthy.mjs"]
# The upstream is fixed by configuration and not known here; --allow-net=127.0.0.1,example.org:443 narrows it.
# What V8 is told: docs/runtimes.md.
ENTRYPOINT ["tini", "--", "deno", "run", "--v8-flags=--no-allocation-site-pretenuring", "--no-prompt", "--allow-net", "--allow-env", "--allow-read", "dist/main.js"]
