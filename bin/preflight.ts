/**
 * `npm run preflight`: checks the AWS account and the Stripe account before a stage is deployed, with the caller's
 * credentials. Each failed line shows the command that fixes it. It changes nothing.
 */
import { parseArgs } from 'node:util'
import { summary } from './checks.ts'
import { runCommand } from './command.ts'
import { preflightCheckNames, runPreflight } from './preflight-checks.ts'
import { settingsOf, stageArguments } from './stage-settings.ts'

const usage = `Usage: npm run preflight -- --stage dev

  --stage        the stage to deploy (default dev); stages/<stage>.json has its options
  -c name=value  an option of the stage; overrides its file

It checks ${preflightCheckNames.join(', ')}.
A missing permission is a warning. Exit code 0: no check failed. Otherwise 1.`

async function main(): Promise<void> {
  const { values } = parseArgs({ options: stageArguments })
  const tally = await runPreflight(settingsOf(values.stage, values.context))
  console.log(summary(tally))
  if (tally.failed > 0) process.exitCode = 1
}

runCommand(main, usage)
