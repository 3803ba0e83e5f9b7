/**
 * `npm run test:deploy`: the stock CDK CLI deploys the whole app into the emulator with IAM enforced, connects it to a
 * local Stripe, bootstraps two orgs, runs the HTTP suite through the API Gateway it made, has the schedule start a
 * sweep, destroys everything, and leaves nothing running.
 */
import { execFile, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CloudFormationClient,
  DescribeStacksCommand,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation'
import { CloudWatchLogsClient, DescribeLogGroupsCommand, FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { EventBridgeClient, ListRulesCommand, PutRuleCommand } from '@aws-sdk/client-eventbridge'
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { createStripe, stripeSecretKey, stripeWebhookSecret } from '@octomil/local-stripe'
import { outputNames, stackName } from '../../lib/stage.ts'
import { audience, createIssuer, type Issuer } from '../../local/issuer.ts'
import { mintTokens, seededOrgs } from '../../local/service.ts'
import type { DevState } from '../../local/state.ts'
import { mintBuyers, type Target } from '../http/target.ts'
import { localFolder } from '../python.ts'
import { type StackOutputs, signInThroughCognito } from './cognito.ts'
import { proveDelivery } from './delivery.ts'
import { clientOf, type Emulator, startEmulator } from './emulator.ts'
import { proveKeyRoles } from './key-roles.ts'
import { lintTemplates } from './lint.ts'
import { proveRedrive } from './redrive.ts'
import { proveSealing } from './seal.ts'
import { proveNothingLost } from './update.ts'
import { proveWeb } from './web.ts'

const root = join(import.meta.dirname, '..', '..')
const binary = (name: string) => join(root, 'node_modules', '.bin', name)
const stage = 'e2e'

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'octomil-deploy-'))
  const emulator = await startEmulator()
  writeFileSync(logFile, '')
  const { issuer, stripeUrl, close } = await startOutside()
  const outside = { issuer, stripeUrl }
  try {
    await step('lint the templates', () => lintTemplates(folder))
    await step('bootstrap the environment', () => bootstrapEnvironment(emulator, folder))
    const { apiUrl, stripeSecretArn, outputs: deployed } = await step('deploy', () => deploy(emulator, outside))
    await step('nothing differs from what is deployed', () => seeNoDifference(emulator, outside, folder))
    await step('connect to Stripe', () => connectStripe(emulator, stripeSecretArn))
    await step('have the schedule start a sweep every minute', () => hastenSweep(emulator))
    const orgs = await step('bootstrap two orgs', () => bootstrapOrgs(emulator, issuer))
    const stripe = { url: stripeUrl, secretKey: stripeSecretKey, webhookSecret: stripeWebhookSecret }
    const serviceKey = await step('create, list and revoke service keys', () => bootstrapServiceKey(emulator))
    const buyers = await mintBuyers(issuer)
    const host = new URL(apiUrl).host
    const target: Target = { url: emulator.endpoint, host, orgs, serviceKey, buyers, stripe, deployed: true }
    const targetFile = join(folder, 'target.json')
    writeFileSync(targetFile, JSON.stringify(target), { mode: 0o600 })
    await step('HTTP suite', () => runSuite(emulator, targetFile))
    await step('an event arrives at a webhook', () => seeDelivery(emulator, target))
    await step('reference page', () => proveWeb(target, stage, deployed))
    await step('sweep', () => seeSweep(emulator))
    await step('replay dead letters', () => replayDeadLetters(emulator, stripeUrl))
    await step('a forgotten option is refused', () => seeForgottenRefused(emulator, outside))
    const outputs = await step('update: people sign in with a user pool', () => addUserPool(emulator, target))
    await step('sealing, and events of an earlier version', () => proveSealing(emulator, stage, target))
    await step('nothing is lost', () => proveNothingLost(target))
    await step('sign in through Cognito', () => signInThroughCognito(emulator, stage, outputs))
    await step('roles that may encrypt, and roles that may decrypt', () => proveKeyRoles(emulator, stage))
    await step('a protected stack is not destroyed', () => seeProtected(emulator))
    await step('destroy', () => destroy(emulator))
    console.log('deploy test: passed')
  } finally {
    await close()
    await emulator.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function step<T>(name: string, action: () => Promise<T>): Promise<T> {
  const started = Date.now()
  console.log(`\n== ${name}`)
  const result = await action()
  console.log(`== ${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`)
  return result
}

/** What the CDK CLI says at length; shown when something fails. */
const logFile = join(localFolder, 'deploy-test.log')

/** Runs a program to its end and returns its stdout. `quiet`: the output goes only to the log file. */
function run(
  command: string,
  commandArguments: string[],
  environment: Record<string, string>,
  quiet = false,
): Promise<string> {
  const child = spawn(command, commandArguments, {
    cwd: root,
    env: { ...process.env, ...environment, CI: 'true' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      appendFileSync(logFile, chunk)
      if (!quiet) process.stdout.write(chunk)
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => {
      if (code === 0) return resolve(output)
      if (quiet) console.error(readFileSync(logFile, 'utf8').split('\n').slice(-40).join('\n'))
      reject(
        new Error(
          `${commandArguments.slice(0, 2).join(' ')} ended with ${code}; all of it is in .local/deploy-test.log`,
        ),
      )
    })
  })
}

/** Runs a command that may fail, and hands back its exit code and all that it wrote. */
const runToEnd = (commandArguments: string[], environment: Record<string, string>): Promise<[number, string]> =>
  new Promise((resolve) => {
    const env = { ...process.env, ...environment, CI: 'true' }
    execFile(process.execPath, commandArguments, { cwd: root, env }, (error, stdout, stderr) =>
      resolve([Number(error?.code ?? 0), stdout + stderr]),
    )
  })

const cdk = (emulator: Emulator, folder: string, commandArguments: string[]): Promise<string> =>
  run(
    process.execPath,
    [binary('cdk'), ...commandArguments, '--output', join(folder, 'cdk.out')],
    emulator.environment,
    true,
  )

/** What the deployed app reaches out to, on loopback. */
interface Outside {
  issuer: Issuer
  stripeUrl: string
}

const app = `${process.execPath} test/deploy/app.ts`

/** Without an issuer, the stage has a user pool. */
const stageOptions = ({ issuer, stripeUrl }: Partial<Outside>): string[] => [
  ...['-c', 'posture=disposable'],
  ...(issuer ? ['-c', `oidc_issuer=${issuer.url}`, '-c', `oidc_audience=${audience}`] : []),
  ...['-c', 'sign_in_providers=google,github'],
  // The suite's provider is on loopback.
  ...['-c', 'allowed_cidrs=127.0.0.0/8'],
  ...['-c', 'cors_origins=https://dashboard.example.com'],
  ...['-c', `stripe_api_url=${stripeUrl}`],
]

/** The standard bootstrap template, without two parts that do not work with the emulator. */
async function bootstrapEnvironment(emulator: Emulator, folder: string): Promise<void> {
  const template = JSON.parse(await cdk(emulator, folder, ['bootstrap', '--show-template', '--json']))
  // It denies plain HTTP, which is all that loopback speaks.
  delete template.Resources.StagingBucketPolicy
  // Its condition key, aws:ResourceAccount, is unknown to the emulator.
  for (const statement of template.Resources.FilePublishingRoleDefaultPolicy.Properties.PolicyDocument.Statement) {
    delete statement.Condition
  }
  const file = join(folder, 'bootstrap.json')
  writeFileSync(file, JSON.stringify(template))
  await cdk(emulator, folder, [
    'bootstrap',
    '--template',
    file,
    'aws://000000000000/us-east-1',
    '--progress',
    'events',
    '--quiet',
  ])
}

interface Deployed {
  outputs: StackOutputs
  apiUrl: string
  stripeSecretArn: string
}

async function deploy(emulator: Emulator, outside: Outside): Promise<Deployed> {
  const outputs = await runDeploy(emulator, [...stageOptions(outside), '--yes'])
  const notProved = readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('NOT PROVED'))
  console.log(notProved.length > 0 ? [...new Set(notProved)].join('\n') : 'every resource of the app was deployed')
  return {
    outputs,
    apiUrl: outputs[stackName(stage, 'Api')]?.[outputNames.apiUrl] ?? '',
    stripeSecretArn: outputs[stackName(stage, 'Storage')]?.[outputNames.stripeSecretArn] ?? '',
  }
}

/** What the emulator does not do as AWS does: it answers preflights itself, and has no limit of headers. */
const unlikeAws = 'preflight-open,preflight-closed,header-limit'

/** `npm run deploy`, as an operator runs it: account, differences, deploy, checks of the live API. */
async function runDeploy(
  emulator: Emulator,
  options: readonly string[],
  secrets: Record<string, string> = {},
): Promise<StackOutputs> {
  const fixed = ['--stage', stage, '--app', app, '--connect', emulator.endpoint, '--skip', unlikeAws]
  const output = await run(
    process.execPath,
    ['bin/deploy.ts', ...fixed, ...options],
    { ...emulator.environment, ...secrets },
    true,
  )
  console.log(output.slice(output.indexOf('== Check what is live')))
  return JSON.parse(readFileSync(join(root, 'cdk.out', 'outputs.json'), 'utf8')) as StackOutputs
}

/** The options of the second deploy lack the issuer: without a yes to that, nothing is deployed. */
async function seeForgottenRefused(emulator: Emulator, { stripeUrl }: Outside): Promise<void> {
  const options = ['--stage', stage, '--app', app, ...stageOptions({ stripeUrl }), '--yes', '--no-preflight']
  const [code, said] = await runToEnd(['bin/deploy.ts', ...options], emulator.environment)
  const named = ['oidc_issuer: ', 'oidc_audience: ', '--drop-options'].every((part) => said.includes(part))
  if (code !== 1 || !named) throw new Error(`a deploy without the issuer ended with ${code} and said: ${said}`)
}

async function seeProtected(emulator: Emulator): Promise<void> {
  const client = clientOf(CloudFormationClient, emulator)
  const StackName = stackName(stage, 'Storage')
  await client.send(new UpdateTerminationProtectionCommand({ StackName, EnableTerminationProtection: true }))
  const [code, said] = await runToEnd(['bin/destroy.ts', '--stage', stage, '--yes'], emulator.environment)
  if (code !== 1 || !said.includes(`${StackName}. Nothing was destroyed`))
    throw new Error(`destroying a protected stack ended with ${code} and said: ${said}`)
}

async function destroy(emulator: Emulator): Promise<void> {
  await run(process.execPath, ['bin/destroy.ts', '--stage', stage, '--release', '--yes'], emulator.environment)
  const { Stacks = [] } = await clientOf(CloudFormationClient, emulator).send(new DescribeStacksCommand({}))
  const left = Stacks.filter(
    ({ StackName, StackStatus }) => StackName !== 'CDKToolkit' && StackStatus !== 'DELETE_COMPLETE',
  )
  if (left.length > 0) throw new Error(`left: ${left.map(({ StackName }) => StackName).join(', ')}`)
}

/** Fills in the secret as an operator does after the first deploy. */
async function connectStripe(emulator: Emulator, stripeSecretArn: string): Promise<void> {
  const SecretString = JSON.stringify({ secret_key: stripeSecretKey, webhook_secrets: [stripeWebhookSecret] })
  await clientOf(SecretsManagerClient, emulator).send(
    new PutSecretValueCommand({ SecretId: stripeSecretArn, SecretString }),
  )
}

/** Changes only the hour of the deployed rule, because no test waits for it. */
async function hastenSweep(emulator: Emulator): Promise<void> {
  const events = clientOf(EventBridgeClient, emulator)
  const { Rules = [] } = await events.send(new ListRulesCommand({}))
  const hourly = Rules.filter(({ ScheduleExpression }) => ScheduleExpression === 'rate(1 hour)')
  if (hourly.length !== 1) throw new Error(`one rule should be hourly, and not ${hourly.length}`)
  await events.send(new PutRuleCommand({ Name: hourly[0]?.Name, ScheduleExpression: 'rate(1 minute)' }))
}

/** Waits until a sweep has, under its own role, brought in the customer that the suite has left without any event. */
async function seeSweep(emulator: Emulator): Promise<void> {
  for (const giveUp = Date.now() + 150_000; Date.now() < giveUp; ) {
    const sweeps = await loggedLines(emulator, '"billing sweep"')
    const swept = sweeps.find((line) => /"synced":[1-9].*"failed":0/.test(line))
    if (swept) return console.log(swept)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
  for (const line of await loggedErrors(emulator)) console.error(`logged by a function: ${line}`)
  throw new Error('no sweep has brought a customer in')
}

/** Compares templates only: the emulator's change sets do not list differences. */
async function seeNoDifference(emulator: Emulator, outside: Outside, folder: string): Promise<void> {
  const options = ['--app', app, '--fail', '--no-change-set', '-c', `stage=${stage}`, ...stageOptions(outside)]
  const output = await cdk(emulator, folder, ['diff', ...options])
  console.log(output.trim().split('\n').at(-1))
}

const replayDeadLetters = (emulator: Emulator, stripeUrl: string): Promise<void> =>
  proveRedrive({
    ...{ emulator, stage, stripeUrl },
    redrive: (options) => run(process.execPath, ['bin/redrive.ts', ...options], emulator.environment),
    logged: (message) => loggedLines(emulator, `"${message}"`),
  })

/** Deploys over an existing stage: every function gets another issuer, and the table has rows. */
const addUserPool = (emulator: Emulator, { orgs, stripe }: Target): Promise<StackOutputs> =>
  runDeploy(emulator, [...stageOptions({ stripeUrl: stripe.url }), '--yes', '--drop-options'], {
    OCTOMIL_API_KEY: orgs[0]?.api_keys.full_admin ?? '',
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
  })

async function bootstrapOrgs(emulator: Emulator, issuer: Issuer): Promise<DevState['orgs']> {
  const orgs: DevState['orgs'] = []
  for (const { name, plan } of seededOrgs) {
    const owner = ['--owner', `owner@${name.toLowerCase()}.example`]
    const options = ['--stage', stage, '--org', name, ...owner, ...(plan ? ['--plan', plan] : [])]
    const printed = await run(process.execPath, ['bin/bootstrap.ts', ...options], emulator.environment, true)
    const { org_id, api_key } = JSON.parse(printed) as { org_id: string; api_key: string }
    // The suite makes its read-only key itself: bootstrap prints one key.
    orgs.push({
      org_id,
      name,
      api_keys: { full_admin: api_key, read_only: '' },
      tokens: await mintTokens(issuer, org_id),
    })
  }
  return orgs
}

/** A service key that works; another was revoked, and the list shows both. */
async function bootstrapServiceKey(emulator: Emulator): Promise<string> {
  const serviceKey = async <T>(...options: string[]): Promise<T> => {
    const command = ['bin/service-key.ts', '--stage', stage, ...options]
    return JSON.parse(await run(process.execPath, command, emulator.environment, true)) as T
  }
  const [kept, other] = [
    await serviceKey<{ id: string; service_key: string }>('create', '--name', 'Suite'),
    await serviceKey<{ id: string }>('create', '--scopes', 'usage:write'),
  ]
  await serviceKey('revoke', other.id)
  const listed = await serviceKey<{ id: string; state: string }[]>('list')
  const states = listed.map(({ id, state }) => `${id} ${state}`).join()
  if (states !== `${kept.id} active,${other.id} revoked`) throw new Error(`the list of service keys is ${states}`)
  return kept.service_key
}

async function runSuite(emulator: Emulator, targetFile: string): Promise<void> {
  try {
    const suite = [binary('vitest'), 'run', '--project', 'service', 'test/http']
    await run(process.execPath, suite, { OCTOMIL_TARGET: targetFile })
  } catch (error) {
    for (const line of await loggedErrors(emulator)) console.error(`logged by a function: ${line}`)
    throw error
  }
}

async function seeDelivery(emulator: Emulator, target: Target): Promise<void> {
  try {
    await proveDelivery(target)
  } catch (error) {
    for (const line of await loggedErrors(emulator)) console.error(`logged by a function: ${line}`)
    throw error
  }
}

/** What the deployed functions logged as errors: where a missing permission says which action of which role. */
const loggedErrors = async (emulator: Emulator): Promise<string[]> =>
  (await loggedLines(emulator, '"ERROR"')).filter((line) => line.startsWith('{"level":"ERROR"'))

async function loggedLines(emulator: Emulator, filterPattern: string): Promise<string[]> {
  const logs = clientOf(CloudWatchLogsClient, emulator)
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({}))
  const found = await Promise.all(
    logGroups.map(({ logGroupName }) => logs.send(new FilterLogEventsCommand({ logGroupName, filterPattern }))),
  )
  return found.flatMap(({ events = [] }) => events.map(({ message = '' }) => message.trim()))
}

/** An issuer, and a Stripe that sends no events by itself: the suite delivers them. */
async function startOutside(): Promise<Outside & { close(): Promise<void> }> {
  const [issuerServer, stripeServer] = [createServer(), createServer()]
  const [issuerUrl, stripeUrl] = [await listen(issuerServer), await listen(stripeServer)]
  const issuer = await createIssuer(issuerUrl)
  issuerServer.on('request', issuer.handle)
  const stripe = createStripe({ url: stripeUrl, webhookUrl: stripeUrl })
  stripe.webhooks.pause()
  stripeServer.on('request', stripe.handle)
  return {
    issuer,
    stripeUrl,
    close: async () => {
      await stripe.close()
      for (const server of [issuerServer, stripeServer]) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  console.error('deploy test: FAILED')
  process.exit(1)
})
