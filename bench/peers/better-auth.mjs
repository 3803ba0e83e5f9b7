/**
 * Child process: better-auth and its API key plugin as released, behind Hono. The plugin verifies keys only from server code,
 * so three routes call its server API. Sends its port and its first key.
 */
import { apiKey } from '@better-auth/api-key'
import { serve } from '@hono/node-server'
import { betterAuth } from 'better-auth'
import { APIError } from 'better-auth/api'
import { getMigrations } from 'better-auth/db/migration'
import Database from 'better-sqlite3'
import { Hono } from 'hono'

const bearer = (headers) => headers?.get('authorization')?.replace(/^Bearer /, '') || null

const auth = betterAuth({
  baseURL: 'http://127.0.0.1',
  secret: 'only-for-this-benchmark-on-loopback',
  database: new Database(':memory:'),
  telemetry: { enabled: false },
  // It logs the tables that are not there yet, and each refused key.
  logger: { disabled: true },
  advanced: { ipAddress: { disableIpTracking: true } },
  plugins: [
    apiKey({
      enableSessionForAPIKeys: true,
      customAPIKeyGetter: ({ headers }) => bearer(headers),
      // Instead of the default of 10 requests a day. It still counts each request, as the service does.
      rateLimit: { enabled: true, timeWindow: 60_000, maxRequests: 1_000_000_000 },
    }),
  ],
})

async function caller(context) {
  const { valid, key } = await auth.api.verifyApiKey({ body: { key: bearer(context.req.raw.headers) ?? '' } })
  if (!valid) throw new APIError('UNAUTHORIZED')
  return key
}

const path = '/api/v2/settings/api-keys'
const app = new Hono()
app.onError((error, context) => context.json(error.body ?? {}, error instanceof APIError ? error.statusCode : 500))
app.get(`${path}/scopes`, async (context) => context.json(await caller(context)))
app.get(path, async (context) => {
  const query = { limit: context.req.query('limit'), sortBy: 'createdAt', sortDirection: 'desc' }
  return context.json(await auth.api.listApiKeys({ headers: context.req.raw.headers, query }))
})
app.post(path, async (context) => {
  const { referenceId: userId } = await caller(context)
  const { name, scopes } = await context.req.json()
  return context.json(await auth.api.createApiKey({ body: { userId, name, permissions: { scopes } } }), 201)
})

/** One user and its first key. */
async function firstKey() {
  await (await getMigrations(auth.options)).runMigrations()
  const { internalAdapter } = await auth.$context
  const user = await internalAdapter.createUser({ email: 'bench@example.com', name: 'bench', emailVerified: true })
  return (await auth.api.createApiKey({ body: { userId: user.id, name: 'first' } })).key
}

const key = await firstKey()
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => process.send({ port, key }))
process.once('disconnect', () => process.exit())
