/**
 * `npm run dev` in a container. A published port arrives at the container's own address and not at its loopback, so connections
 * are passed on. Publish the port on the host's loopback only: `docker run -p 127.0.0.1:3000:3000`.
 */
import { networkInterfaces } from 'node:os'
import { forward } from './forward.ts'

const port = 3000

for (const { address, family, internal } of Object.values(networkInterfaces()).flatMap((each) => each ?? []))
  if (family === 'IPv4' && !internal) await forward(address, port, port)
await import('./dev.ts')
