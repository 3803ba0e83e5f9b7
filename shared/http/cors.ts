/** CORS of the API, for the stack that configures API Gateway with it and the local gateway that answers like it. */
export const cors = {
  allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowHeaders: [
    'authorization',
    'content-type',
    'idempotency-key',
    'if-match',
    'if-none-match',
    'x-api-key',
    'traceparent',
    'tracestate',
    'baggage',
  ],
  exposeHeaders: [
    'age',
    'etag',
    'idempotency-replayed',
    'location',
    'ratelimit',
    'ratelimit-policy',
    'retry-after',
    'www-authenticate',
    'x-request-id',
  ],
  maxAgeSeconds: 3600,
} as const
