/**
 * `npm run test:generators`: generates clients of other languages from `docs/openapi.json`, and calls a local service with
 * each: list, create, decode a problem. What a machine lacks is said, and that generator is left out.
 */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Service, seed, startService } from '../../local/service.ts'
import { log } from '../../shared/runtime/log.ts'
import { installPython } from '../python.ts'

const run = promisify(execFile)
const document = join(import.meta.dirname, '..', '..', 'docs', 'openapi.json')
const file = (name: string) => join(import.meta.dirname, name)

interface Generator {
  name: string
  /** Programs beside Python that it needs, each with the argument that makes it say its version. */
  needs: readonly [string, string][]
  prove(folder: string, tools: string, environment: NodeJS.ProcessEnv): Promise<unknown>
}

const openApiGenerator = (tools: string, language: string, folder: string) =>
  run(join(tools, 'openapi-generator-cli'), ['generate', '-g', language, '-i', document, '-o', folder], {
    maxBuffer: 1e8,
  })

const generators: readonly Generator[] = [
  {
    name: 'openapi-spec-validator',
    needs: [],
    prove: (_folder, tools) => run(join(tools, 'openapi-spec-validator'), [document]),
  },
  {
    name: 'openapi-python-client',
    needs: [],
    async prove(folder, tools, env) {
      const generate = ['generate', '--path', document, '--output-path', folder, '--overwrite', '--fail-on-warning']
      await run(join(tools, 'openapi-python-client'), generate, { env })
      await run(join(tools, 'python'), [file('openapi_python_client.py'), folder], { env })
    },
  },
  {
    name: 'openapi-generator, python',
    needs: [['java', '-version']],
    async prove(folder, tools, env) {
      await openApiGenerator(tools, 'python', folder)
      const requirements = join(folder, 'requirements.txt')
      await run(join(tools, 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
      await run(join(tools, 'python'), [file('openapi_generator.py'), folder], { env })
    },
  },
  {
    name: 'openapi-generator, go',
    needs: [
      ['java', '-version'],
      ['go', 'version'],
    ],
    async prove(folder, tools, env) {
      await openApiGenerator(tools, 'go', folder)
      mkdirSync(join(folder, 'proof'))
      copyFileSync(file('main.go'), join(folder, 'proof', 'main.go'))
      await run('go', ['run', './proof'], { cwd: folder, env, maxBuffer: 1e8 })
    },
  },
]

async function main(): Promise<void> {
  log.setLogLevel('SILENT')
  const tools = installPython('generators', file('requirements.txt'))
  const service = await startService({ port: 0 })
  const folder = mkdtempSync(join(tmpdir(), 'octomil-generators-'))
  try {
    const environment = await environmentFor(service, tools)
    for (const [index, generator] of generators.entries()) {
      const missing = await missingOf(generator)
      if (missing) console.log(`${generator.name}: not run, ${missing} is not on this machine`)
      else await proveOne(generator, join(folder, String(index)), tools, environment)
    }
  } finally {
    await service.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function environmentFor(service: Service, tools: string): Promise<NodeJS.ProcessEnv> {
  const [org] = await seed(service)
  return {
    ...process.env,
    PATH: `${tools}:${process.env.PATH}`,
    SERVICE_URL: service.url,
    SERVICE_KEY: org?.api_keys.full_admin,
  }
}

async function missingOf({ needs }: Generator): Promise<string | undefined> {
  for (const [program, argument] of needs) {
    try {
      await run(program, [argument])
    } catch {
      return program
    }
  }
  return undefined
}

async function proveOne(
  { name, prove }: Generator,
  folder: string,
  tools: string,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const started = Date.now()
  await prove(folder, tools, environment)
  console.log(`${name}: passed in ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

await main()
