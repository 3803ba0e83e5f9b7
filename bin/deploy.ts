/**
 * `npm run deploy`: checks the account, shows the changes, asks once, deploys all stacks of a stage in parallel, and
 * checks the running API.
 */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { outputNames, type StageSettings, stackName } from '../lib/stage.ts'
import type { StageValues } from '../lib/stage-options.ts'
import { cdk } from './cdk.ts'
import { summary } from './checks.ts'
import { CommandError, runCommand, UsageError } from './command.ts'
import { isConfirmed } from './confirm.ts'
import { deployedOptions, forgottenOptions } from './deployed-options.ts'
import { runPreflight } from './preflight-checks.ts'
import { step } from './progress.ts'
import { readSmokeOptions, smokeArguments } from './smoke-options.ts'
import { runSmoke, smokeCheckNames } from './smoke-run.ts'
import { contextArguments, settingsOf, stageArguments } from './stage-settings.ts'

const usage = `Usage: npm run deploy -- --stage dev [-c name=value …] [--yes]

  --stage         the stage to deploy; stages/<stage>.json has its options
  -c name=value   an option of the stage; overrides its file
  --yes           deploy without asking; never drops an option of the last deploy
  --drop-options  with --yes: deploy although options of the last deploy are missing
  --no-preflight  do not check the account first
  --connect       an address for the checks afterwards, with the API's host as Host header: for an emulator
  --skip          names of checks to skip, separated by commas: ${smokeCheckNames.join(', ')}
  --app           the CDK app, instead of the one in cdk.json

Exit code 0: the stage is deployed and every check passed. Otherwise 1.`

const root = join(import.meta.dirname, '..')
const assembly = join(root, 'cdk.out')
const outputsFile = join(assembly, 'outputs.json')

type Outputs = Record<string, Record<string, string>>

async function main(): Promise<void> {
  const options = readOptions()
  const settings = settingsOf(options.stage, options.context)
  if (!options['no-preflight']) await step('Check the account', () => preflight(settings))
  const deployed = await step('Compare the options', () => deployedOptions(settings.stage), { isSilent: true })
  await refuseForgotten(deployed ?? {}, settings, options)
  const context = contextArguments(options.stage, options.context)
  const app = options.app === undefined ? [] : ['--app', options.app]
  await step('Build', () => cdk(['synth', '--quiet', '--output', assembly, ...app, ...context]), { isSilent: true })
  await step('What changes', () => showChanges(deployed !== undefined))
  if (!options.yes && !(await isConfirmed(`Deploy stage ${options.stage}? [y/N] `, 'y', '--yes'))) {
    throw new CommandError('Nothing was deployed.')
  }
  await step('Deploy', () => deploy(context))
  const outputs = JSON.parse(readFileSync(outputsFile, 'utf8')) as Outputs
  const failed = await step('Check the running API', () => smoke(settings, outputs, options))
  printLive(settings, outputs)
  if (failed > 0) process.exitCode = 1
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      ...stageArguments,
      stage: { type: 'string', default: '' },
      yes: { type: 'boolean', default: false },
      'drop-options': { type: 'boolean', default: false },
      'no-preflight': { type: 'boolean', default: false },
      ...smokeArguments,
      app: { type: 'string' },
    },
  })
  if (values.app === '') throw new UsageError('--app must be a command that synthesizes the app, not empty')
  return { ...values, smoke: readSmokeOptions(values) }
}

type Options = ReturnType<typeof readOptions>

async function preflight(settings: StageSettings): Promise<void> {
  const tally = await runPreflight(settings)
  if (tally.failed > 0) throw new CommandError(`${summary(tally)} Nothing was deployed.`)
}

/** A setting that a deploy forgets is an outage: the issuer, the domain, the dashboards' origins. */
async function refuseForgotten(deployed: StageValues, settings: StageSettings, options: Options): Promise<void> {
  const forgotten = forgottenOptions(deployed, settings.given)
  if (forgotten.length === 0) return
  console.log('Options of the last deploy that are missing now:')
  for (const [name, value] of forgotten) console.log(`  ${name}: ${value}`)
  const mend = `Put them into stages/${settings.stage}.json.`
  if (options.yes && !options['drop-options']) throw new CommandError(`${mend} To go on without them: --drop-options.`)
  if (!options.yes && !(await isConfirmed('Go on without them? [y/N] ', 'y', '--yes --drop-options')))
    throw new CommandError(`${mend} Nothing was deployed.`)
}

/** All of a first deploy is new: a count for each stack says more than a thousand lines. */
async function showChanges(isDeployed: boolean): Promise<void> {
  if (isDeployed) return cdk(['diff', '--app', assembly, '--no-change-set'])
  for (const file of globSync('*.template.json', { cwd: assembly }).sort()) {
    const { Resources = {} } = JSON.parse(readFileSync(join(assembly, file), 'utf8')) as { Resources?: object }
    console.log(`  new: ${file.replace('.template.json', '')}, ${Object.keys(Resources).length} resources`)
  }
}

/** The diff is confirmed: a prompt per stack would stop the others, and the CLI refuses both together. */
const deploy = (context: readonly string[]): Promise<void> =>
  cdk([
    ...['deploy', '--all', '--app', assembly, '--require-approval', 'never', '--concurrency', '4'],
    ...['--progress', 'events', '--outputs-file', outputsFile, ...context],
  ])

async function smoke({ stage }: StageSettings, outputs: Outputs, options: Options): Promise<number> {
  const url = outputOf(outputs, stage, 'Api', outputNames.apiUrl)
  const tally = await runSmoke({ url, stage, ...options.smoke })
  console.log(summary(tally))
  return tally.failed
}

const outputOf = (outputs: Outputs, stage: string, part: string, name: string): string =>
  outputs[stackName(stage, part)]?.[name] ?? ''

function printLive({ stage, makesUserPool }: StageSettings, outputs: Outputs): void {
  const api = (name: string) => outputOf(outputs, stage, 'Api', name)
  console.log(`\nLive: stage ${stage}
  Commit      ${api(outputNames.commit)}
  API         ${api(outputNames.apiUrl)}
  Reference   ${api(outputNames.docsUrl)}
  Alarms      ${outputOf(outputs, stage, 'Events', outputNames.alarmTopicArn)}

The first organization:  npm run bootstrap -- --stage ${stage} --org "Acme" --owner you@example.com${
    makesUserPool ? `\nIts owner signs in:      npm run -s sign-in -- --stage ${stage} --email you@example.com` : ''
  }`)
}

runCommand(main, usage)
