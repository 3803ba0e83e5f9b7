/** Forwards TCP connections to the service, which listens on loopback only. */
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

/** Listens on an address, and forwards each connection to a port of loopback. */
export async function forward(address: string, port: number, toPort: number): Promise<Server> {
  const server = createServer((from) => {
    const to = connect(toPort, '127.0.0.1')
    // Either end can close at any time; close the other too.
    from.on('error', () => to.destroy())
    to.on('error', () => from.destroy())
    from.pipe(to).pipe(from)
  })
  server.listen(port, address)
  await once(server, 'listening')
  return server
}
