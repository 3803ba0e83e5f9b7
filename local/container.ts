/**
 * `npm run dev` in a container. A published port reaches the container's address, not its loopback, so this file forwards
 * connections. Publish the port on the host's loopback only: `docker run -p 127.0.0.1:3000:3000`.
 */
import { networkInterfaces } from 'node:os'
import { forward } from './forward.ts'

const port = 3000

for (const { address, family, internal } of Object.values(networkInterfaces()).flatMap((each) => each ?? []))
  if (family === 'IPv4' && !internal) await forward(address, port, port)
await import('./dev.ts')
