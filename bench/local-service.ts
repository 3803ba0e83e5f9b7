/** Child process: the whole local service, on an engine of its own. Its key may do everything, on a plan with every feature. */
import { seed, startService } from '../local/service.ts'

const service = await startService({ port: 0 })
const orgs = await seed(service)
const key = orgs.find(({ name }) => name === 'Globex')?.api_keys.full_admin
process.send?.({ port: Number(new URL(service.url).port), key })
process.once('disconnect', () => void service.close().finally(() => process.exit()))
