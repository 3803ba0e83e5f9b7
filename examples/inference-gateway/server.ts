/** Runs the gateway from environment variables; see README.md. */
import { serve } from '@hono/node-server'
import { createGateway } from './gateway.ts'

const required = (name: string): string => {
  const value = process.env[name]
  if (value) return value
  console.error(`Set ${name}; see README.md.`)
  process.exit(1)
}

const { app, close } = createGateway({
  settingsUrl: required('SETTINGS_URL'),
  credential: required('SETTINGS_KEY'),
  runtimeUrl: required('RUNTIME_URL'),
  targetId: required('TARGET_ID'),
})
const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 8787) }, ({ port }) =>
  console.log(`gateway: http://127.0.0.1:${port}/v1`),
)
process.once('SIGTERM', () => server.close(() => void close()))
