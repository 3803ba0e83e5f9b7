/**
 * `npm run smoke`: tests a running API end to end, after a deploy or at any address. It changes nothing, except that with an API key
 * it creates and revokes one key.
 */
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { summary } from './checks.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'
import { readSmokeOptions, requireAddress, smokeArguments } from './smoke-options.ts'
import { runSmoke, smokeCheckNames } from './smoke-run.ts'

const usage = `Usage: npm run smoke -- --stage dev
       npm run smoke -- --url http://127.0.0.1:3000

  --stage    the deployed stage (default dev); the output ApiUrl gives its address, and health must name it
  --url      an address instead; health may then name any stage, unless you set --stage too
  --connect  an address for all requests, with the API's host as Host header: for an emulator
  --skip     names of checks to skip, separated by commas: ${smokeCheckNames.join(', ')}

With OCTOMIL_API_KEY, an org key with keys:write, it creates, uses and revokes a key, and checks that the key is refused.
With STRIPE_WEBHOOK_SECRET, it sends a signed event of an unknown type, and a forged one.
Exit code 0: no check failed. Otherwise 1.`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string' },
      url: { type: 'string' },
      ...smokeArguments,
    },
  })
  const stage = values.stage ?? (values.url === undefined ? 'dev' : undefined)
  if (stage !== undefined) requireStage(stage)
  if (values.url !== undefined) requireAddress('--url', values.url)
  const options = readSmokeOptions(values)
  const url = values.url ?? (await addressOf(stage ?? 'dev'))
  console.log(`Checking ${url}`)
  const tally = await runSmoke({ url, stage, ...options })
  console.log(summary(tally))
  if (tally.failed > 0) process.exitCode = 1
}

async function addressOf(stage: string): Promise<string> {
  const url = (await outputsOf(stage, 'Api'))?.[outputNames.apiUrl]
  if (url) return url
  throw new UsageError(`The stack ${stackName(stage, 'Api')} is not deployed here. Deploy it first, or give --url.`)
}

runCommand(main, usage)
