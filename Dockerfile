# Node runs the TypeScript as it is: there is no build step.
FROM node:24-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json ./
# The image has its own Node, so the one that comes as a dependency is not installed (its script is what would do it).
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force && rm -rf node_modules/node node_modules/.bin/node
COPY mailweir.ts ./
COPY bin bin
COPY cli cli
COPY lib lib
COPY schemas schemas
COPY services services
RUN mkdir /data && chown 10001:10001 /data
# The same limit of young objects as bin/mailweir.cjs; what runs it may set another.
ENV NODE_ENV=production DATA_DIR=/data NODE_OPTIONS=--max-semi-space-size=8
USER 10001:10001
VOLUME /data
ENTRYPOINT ["node", "/app/mailweir.ts"]
CMD ["up"]
