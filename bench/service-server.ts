/** Child process: the functions behind the local gateway, on the bench's engine. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGateway } from '../local/gateway.ts'

const server = createServer(createGateway())
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
process.once('disconnect', () => process.exit())
