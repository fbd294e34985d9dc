# sse-mcp-server as an image; docs/docker.md says how to run it.

# npm and the compiler stay in this stage.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# With a registry of your own: docker build --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=cache,target=/root/.npm \
    --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm ci --ignore-scripts --no-audit --no-fund
COPY . .
# The image has no /usr/bin/env, so the first line of the command names its Node. Files of a checkout may be readable by
# their owner alone. A new named volume takes over the contents of /data and its owner: the file has no keys yet, so no
# one may do anything until there are some.
RUN npm run compile \
    && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
    && sed -i '1s|^#!.*|#!/nodejs/bin/node|' dist/cli/main.js && chmod 755 dist/cli/main.js \
    && mkdir -p /image/app /image/data /image/usr/local/bin \
    && mv package.json LICENSE THIRD-PARTY.txt dist public node_modules /image/app/ \
    && chmod -R a+rX,go-w /image/app \
    && ln -s /app/dist/cli/main.js /image/usr/local/bin/sse-mcp-server \
    && echo '{"keys":[]}' > /image/data/keys.json && chmod 600 /image/data/keys.json

# Debian 13 with Node 24, without a shell or a package manager.
FROM gcr.io/distroless/nodejs24-debian13:nonroot
ARG VERSION=unversioned
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sse-mcp-server" \
      org.opencontainers.image.description="The real-time hub for MCP: services, AI agents and people on the same channels" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/nodejs24-debian13:nonroot"
COPY --from=build /image/app /app
COPY --from=build /image/usr /usr
COPY --from=build --chown=65532:65532 /image/data /data
# API_KEYS_FILE is a path.
# hadolint ignore=DL3064
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    DATA=file:/data/hub.db \
    API_KEYS_FILE=/data/keys.json
WORKDIR /app
# By number, for orchestrators that check whether it is root.
USER 65532:65532
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["sse-mcp-server", "health"]
# No init process in front: the server handles SIGTERM itself and starts no processes.
ENTRYPOINT ["sse-mcp-server"]
CMD ["serve"]
