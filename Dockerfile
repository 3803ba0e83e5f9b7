# The service and its tests in a container, for machines other than Linux x64. The DynamoDB engine is a binary for linux/amd64.
#   docker build -t octomil . && docker run --rm -it -p 127.0.0.1:3000:3000 octomil
#   docker run --rm octomil npm test
FROM --platform=linux/amd64 node:24.21.0-bookworm AS tools
RUN mkdir /app && chown node:node /app
USER node
WORKDIR /app

FROM tools
COPY --chown=node:node package.json package-lock.json .npmrc ./
COPY --chown=node:node client/package.json client/
COPY --chown=node:node local-stripe/package.json local-stripe/
RUN npm ci
COPY --chown=node:node . .
EXPOSE 3000
CMD ["node", "local/container.ts"]
