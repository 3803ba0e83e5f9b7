/**
 * `npm run smoke`: asks a running API what only the whole of it can answer, after a deploy or against any address. It
 * changes nothing but with an API key, and then one key that it revokes itself.
 */
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { summary } from './checks.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'
import { readSmokeOptions, requireAddress, smokeArguments } from './smoke-options.ts'
import { runSmoke, smokeCheckNames } from './smoke-run.ts'

const usage = `Usage: npm run smoke -- --stage dev
       npm run smoke -- --url http://127.0.0.1:3000

  --stage    the stage that was deployed (default dev); its address is the output ApiUrl, and health must name it
  --url      an address instead; health then names any stage, unless you give the stage too
  --connect  an address that requests go to, with the host of the API as Host header: for an emulator
  --skip     names of checks to leave out, separated by commas: ${smokeCheckNames.join(', ')}

With OCTOMIL_API_KEY, an org key that holds keys:write, a key is created, used, revoked and seen refused.
With STRIPE_WEBHOOK_SECRET, a signed event of an unknown type is sent, and a forged one.
It ends with 0 when no check fails, and with 1 otherwise.`

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
