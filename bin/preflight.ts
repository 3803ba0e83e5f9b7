/**
 * `npm run preflight`: checks the AWS account and the Stripe account before a stage is deployed, with the caller's own
 * credentials. Each line that is not ok has the command that fixes it. It changes nothing.
 */
import { parseArgs } from 'node:util'
import { StageSettingsError } from '../lib/stage-error.ts'
import { summary } from './checks.ts'
import { requireStage, runCommand, UsageError } from './command.ts'
import { preflightCheckNames, runPreflight } from './preflight-checks.ts'
import { settingsOf } from './preflight-settings.ts'

const usage = `Usage: npm run preflight -- --stage dev

  --stage  the stage that you want to deploy (default dev)

It checks ${preflightCheckNames.join(', ')}.
What your credentials may not read is a warning. It ends with 0 when no check fails, and with 1 otherwise.`

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { stage: { type: 'string', default: 'dev' } } })
  const tally = await runPreflight(readSettings(requireStage(values.stage)))
  console.log(summary(tally))
  if (tally.failed > 0) process.exitCode = 1
}

function readSettings(stage: string) {
  try {
    return settingsOf(stage)
  } catch (error) {
    throw error instanceof StageSettingsError ? new UsageError(error.message) : error
  }
}

runCommand(main, usage)
