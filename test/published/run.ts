/**
 * `npm run test:published`: the package that the platform publishes, unchanged, against the local service: its typed
 * client, its closed records, its older client and its command.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { providerKey } from '../../local/provider.ts'
import { seed, startService } from '../../local/service.ts'
import { log } from '../../shared/runtime/log.ts'
import { installPython } from '../python.ts'

log.setLogLevel('SILENT')
const file = (name: string) => join(import.meta.dirname, name)
const tools = installPython('published', file('requirements.txt'))
const service = await startService({ port: 0 })
try {
  const [free, enterprise] = await seed(service)
  if (!free || !enterprise) throw new Error('the service seeds two organizations')
  const child = spawn(join(tools, 'python'), [file('prove.py')], {
    stdio: 'inherit',
    env: {
      ...process.env,
      SERVICE_URL: service.url,
      PROVIDER_KEY: providerKey,
      ORG_ID: enterprise.org_id,
      SERVICE_KEY: enterprise.api_keys.full_admin,
      OWNER_TOKEN: enterprise.tokens.owner,
      FREE_KEY: free.api_keys.full_admin,
    },
  })
  const [status] = (await once(child, 'exit')) as [number | null]
  process.exitCode = status ?? 1
} finally {
  await service.close()
}
