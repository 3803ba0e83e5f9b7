/** Commands answer missing and misspelled input with one sentence and the fix, never with a stack trace. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { prepareEnvironment } from '../../local/environment.ts'
import { chooseOrg } from '../../local/state.ts'
import type { Case, Ended } from './run-cases.ts'

const root = join(import.meta.dirname, '../..')

/** Runs a command in a process of its own, without any AWS configuration. */
const run = (
  file: string,
  args: readonly string[] = [],
  more: Record<string, string> = {},
  input = '',
): Promise<Ended> =>
  new Promise((resolve) => {
    const { PATH, NODE_COMPILE_CACHE } = process.env
    const own = { PATH, NODE_COMPILE_CACHE, AWS_CONFIG_FILE: devNull, AWS_SHARED_CREDENTIALS_FILE: devNull }
    const env = { ...own, ...more }
    const { stdin } = execFile(process.execPath, [join(root, file), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
    stdin?.end(input)
  })

/** Runs commands that end at a wrong option or `-h`, all in one process. */
async function runTogether(cases: readonly Partial<Case>[]): Promise<Ended[]> {
  const whole = cases.map(({ file = '', args = [], env = {} }) => ({ file: join(root, file), args, env }))
  const { stdout, stderr } = await run('test/bin/run-cases.ts', [], {}, JSON.stringify(whole))
  if (stderr !== '') throw new Error(stderr)
  return JSON.parse(stdout)
}

test('without a region, a command for a deployed stage names the variable to set', async () => {
  expect(await run('bin/redrive.ts')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Set AWS_REGION to the region of the stage, e.g. AWS_REGION=us-east-1.\n',
  })
})

test('an organization cannot be created with an invisible, misleading or overlong name', async () => {
  const names = ['', ' ', '\u3164', 'Ac\u202eme', 'a\nb', 'x'.repeat(101)]
  const cases = names.map((name) => ({ file: 'bin/bootstrap.ts', args: ['--owner', 'you@example.com', '--org', name] }))
  const ends = await runTogether(cases)
  const refused = [1, expect.stringMatching(/^--org must be a name of 1 to 100 characters/)]
  expect(ends.map(({ code, stderr }, index) => [names[index], code, stderr])).toEqual(
    names.map((name) => [name, ...refused]),
  )
})

/** Wrong options, each with the expected error. */
const wrongOptions: readonly [file: string, args: string, error: RegExp][] = [
  ['local/dev.ts', '--port=', /^--port must be a whole number from 0 to 65535, not empty/],
  ['local/dev.ts', '--port=0x50', /^--port must be a whole number from 0 to 65535, not 0x50/],
  ['local/dev.ts', '--port=65536', /^--port must be/],
  ['local/dev.ts', '--fresh=yes', /^Option '--fresh' does not take an argument/],
  ['local/dev.ts', '--cors-origin=foo', /^--cors-origin must be an origin like https:/],
  ['local/dev.ts', '--cors-origin=*', /^--cors-origin must be an origin like https:/],
  ['local/dev.ts', '--cors-origin=https://a.example/', /^--cors-origin .*did you mean https:\/\/a\.example\?/],
  ['local/token.ts', '--role=root', /^--role must be owner, admin or member, not root/],
  ['local/token.ts', '--org=', /^--org must be the name or the id of an organization, not empty/],
  ['local/token.ts', '--ttl=1e3', /^--ttl must be a whole number/],
  ['local/token.ts', '--ttl=99999999999', /^--ttl must be a whole number/],
  ['local/token.ts', '--sub=', /^--sub must not be empty/],
  ['bin/bootstrap.ts', '--stage=Prod', /^--stage must be .*not Prod: a stage is 1 to 20 characters/],
  ['bin/bootstrap.ts', '--org=', /^--org must be a name/],
  ['bin/bootstrap.ts', '--org=Acme --owner=me', /^--owner must be an e-mail address/],
  ['bin/bootstrap.ts', '--org=Acme --plan=gold', /^--plan must be one of free, /],
  ['bin/bootstrap.ts', '--another-key=Acme', /^--another-key must be the id of an organization \(org_…\), not Acme/],
  ['bin/bootstrap.ts', '--another-key=org_1 --org=Acme', /^--org does not go with --another-key/],
  ['bin/bootstrap.ts', '--reset-factor=me', /^--reset-factor must be an e-mail address/],
  ['bin/bootstrap.ts', '--reset-factor=a@b.example --org=Acme', /^--org does not go with --reset-factor/],
  ['bin/bootstrap.ts', '--another-person=', /^--another-person must be the id/],
  ['bin/bootstrap.ts', '--another-person=org_1 --email=me', /^--email must be an e-mail address/],
  ['bin/bootstrap.ts', '--another-person=org_1 --email=a@b.example --role=root', /^--role must be one of owner, /],
  ['bin/bootstrap.ts', '--org=Acme --role=member', /^--role does not go with --org/],
  ['bin/sign-in.ts', '--email=a@b.example --enroll-totp=yes', /^Option '--enroll-totp' does not take an argument/],
  ['bin/sign-in.ts', '--stage=a_b --email=a@b.example', /^--stage must be/],
  ['bin/sign-in.ts', '--email=', /^--email must be an e-mail address/],
  ['bin/service-key.ts', '', /^Say create, list or revoke, not nothing/],
  ['bin/service-key.ts', 'make', /^Say create, list or revoke, not make/],
  ['bin/service-key.ts', '--stage=a_b list', /^--stage must be/],
  [
    'bin/service-key.ts',
    'create --scopes=keys:write',
    /^--scopes must name scopes of keys:introspect, .*not keys:write/,
  ],
  ['bin/service-key.ts', 'create --scopes=', /^--scopes must name scopes of .*not none/],
  ['bin/service-key.ts', 'create --environment=prod', /^--environment must be live or test/],
  ['bin/service-key.ts', 'create --rate-limit=0', /^--rate-limit must be a whole number from 1 to 100000/],
  ['bin/service-key.ts', 'create --name=', /^--name must be a name of 1 to 100 characters/],
  ['bin/service-key.ts', 'create more', /^create takes no more/],
  ['bin/service-key.ts', 'list --name=x', /^--name does not go with list/],
  ['bin/service-key.ts', 'revoke', /^revoke takes the id of one key/],
  ['bin/seal.ts', '--stage=', /^--stage must be .*not empty/],
  ['bin/seal.ts', '--org=acme', /^--org must be the id of an organization/],
  ['bin/seal.ts', '--accept-broken=1', /^Option '--accept-broken' does not take an argument/],
  ['bin/redrive.ts', '--stage=', /^--stage must be .*not empty/],
  ['bin/redrive.ts', '--queue=all', /^--queue must be one of project, sweep/],
  ['bin/redrive.ts', '--list --yes', /^--list and --yes exclude each other/],
  ['bin/redrive.ts', '--yes=1', /^Option '--yes' does not take an argument/],
  ['bin/preflight.ts', '--stage=a_b', /^--stage must be .*not a_b/],
  ['bin/smoke.ts', '--stage=Prod', /^--stage must be .*not Prod/],
  ['bin/smoke.ts', '--url=localhost:3000', /^--url must be an address like http:.*not localhost:3000/],
  ['bin/smoke.ts', '--url=http://127.0.0.1:9/api', /^--url must be an address .*without a path/],
  ['bin/smoke.ts', '--url=http://127.0.0.1:9 --connect=', /^--connect must be an address .*not empty/],
  ['bin/smoke.ts', '--url=http://127.0.0.1:9 --skip=docs', /^--skip: there is no check docs[\s\S]*docs-page/],
  ['bin/preflight.ts', '-c alarm_email=oncall', /^-c alarm_email=oncall: must be one e-mail address/],
  ['bin/deploy.ts', '--stage=Prod', /^--stage must be .*not Prod/],
  ['bin/deploy.ts', '--stage=prod', /^-c stage=prod is a protected stage and has no file: copy stages/],
  ['bin/deploy.ts', '--stage=', /^--stage must be .*not empty/],
  ['bin/deploy.ts', '--stage=dev -c stage=prod', /^Name the stage with --stage, not with -c/],
  ['bin/deploy.ts', '--stage=dev -c domain=api.example.com', /^-c domain: there is no such option; docs/],
  [
    'bin/deploy.ts',
    '--stage=dev -c stripe_secret_arn=sk_live_4eC39HqLyjWDarj',
    /^-c stripe_secret_arn=sk_…: must be the whole ARN/,
  ],
  ['bin/deploy.ts', '--stage=dev -c alarm_email', /^-c alarm_email: must be an option with its value/],
  ['bin/deploy.ts', '--stage=dev -c oidc_isuer=x', /^-c oidc_isuer: .*did you mean -c oidc_issuer/],
  ['bin/deploy.ts', '--yes=1 --drop-options=1', /^Option '--yes' does not take an argument/],
  ['bin/deploy.ts', '--no-preflight=1', /^Option '--no-preflight' does not take an argument/],
  ['bin/deploy.ts', '--connect=foo', /^--connect must be an address/],
  ['bin/deploy.ts', '--skip=docs', /^--skip: there is no check docs/],
  ['bin/deploy.ts', '--app=', /^--app must be a command/],
  ['bin/destroy.ts', '--stage=', /^--stage must be .*not empty/],
  ['bin/destroy.ts', '--yes=1 --release=1', /^Option '--yes' does not take an argument/],
  ['bench/run.ts', 'colt', /^There is no part colt[\s\S]*cold, first/],
  ['bench/run.ts', 'peers --seconds=x', /^--seconds must be a whole number from 1 to 60, not x/],
  ['bench/run.ts', '--write cold', /^--write needs all parts/],
  ['cost/run.ts', '--check=1', /^Option '--check' does not take an argument/],
  ['docs/openapi.ts', '--check=1', /^Option '--check' does not take an argument/],
  ['test/simulation/run.ts', '--seeds=many', /^--seeds must be a whole number from 1/],
  ['test/simulation/run.ts', '--from=1.5', /^--from must be a whole number/],
  ['test/simulation/run.ts', '--seed=', /^--seed must be a whole number/],
]
const commands = [...new Set(wrongOptions.map(([file]) => file))]

test('an option that npm took for itself is noticed: no other stage is deployed or destroyed', async () => {
  const env = { npm_config_stage: 'dev-anna', AWS_REGION: 'us-east-1' }
  const files = ['bin/deploy.ts', 'bin/destroy.ts', 'bin/smoke.ts', 'bin/preflight.ts']
  const ends = await runTogether(files.map((file) => ({ file, env })))
  expect(ends.map(({ code, stderr }, index) => [files[index], code, stderr])).toEqual(
    files.map((file) => [file, 1, expect.stringMatching(/^npm took --stage for itself\. Write --/)]),
  )
})

test('AWS that does not answer is one sentence', async () => {
  const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' }
  const { code, stderr } = await run('bin/destroy.ts', ['--stage', 'dev'], {
    ...credentials,
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_MAX_ATTEMPTS: '1',
  })
  expect([code, stderr]).toEqual([
    1,
    'AWS does not answer (ECONNREFUSED). Check the network, AWS_REGION and AWS_ENDPOINT_URL.\n',
  ])
})

/** docs/openapi.ts is a module too, and a command only in a process of its own. */
const alone = 'docs/openapi.ts'
const unknownOption = '--chek'
const optionCases = [
  ...wrongOptions,
  ...commands.flatMap((file) => [[file, unknownOption] as const, [file, '-h'] as const]),
].map(([file, args]) => ({ file, args: args.split(' ') }))

describe('options', () => {
  let ends: ReadonlyMap<string, Ended>
  const keyOf = (file: string, args: readonly string[]) => [file, ...args].join(' ')
  const endOf = async (file: string, args: readonly string[]): Promise<Ended> =>
    file === alone ? run(file, args) : (ends.get(keyOf(file, args)) ?? { code: -1, stdout: '', stderr: 'was not run' })

  beforeAll(async () => {
    const together = optionCases.filter(({ file }) => file !== alone)
    const results = await runTogether(together)
    ends = new Map(
      results.map((ended, index) => [keyOf(together[index]?.file ?? '', together[index]?.args ?? []), ended]),
    )
  })

  test.each(wrongOptions)('%s %s is refused with the option, the fix and the usage', async (file, args, error) => {
    const { code, stderr } = await endOf(file, args.split(' '))
    expect([code, stderr]).toEqual([1, expect.stringMatching(error)])
    expect(stderr).toContain('\n\nUsage: ')
  })

  test.each(commands)('%s refuses an option that does not exist, with the usage', async (file) => {
    const { code, stderr } = await endOf(file, [unknownOption])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^Unknown option '--chek'[\s\S]*\n\nUsage: /)])
  })

  test.each(commands)(
    '%s -h prints the usage, and a wrong value of each option in it is tested above',
    async (file) => {
      const { code, stdout } = await endOf(file, ['-h'])
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^Usage: /)])
      const tested = wrongOptions.filter(([each]) => each === file).map(([, args]) => args)
      const untested = (stdout.match(/--[a-z][a-z-]*/g) ?? []).filter(
        (name) => !tested.some((args) => args.includes(name)),
      )
      expect(untested).toEqual([])
    },
  )

  test('-h ends the process of a command that opens connections', async () => {
    expect(await run('local/dev.ts', ['-h'])).toMatchObject({ code: 0, stderr: '' })
  })
})

const closed = 'http://127.0.0.1:9'
const key = 'sk_test_0'
/** Wrong environment variables, each with the expected error. */
const wrongVariables: readonly [file: string, variables: Record<string, string>, error: RegExp][] = [
  ['local/dev.ts', { DYNAMODB_ENDPOINT: 'foo' }, /^DYNAMODB_ENDPOINT must be the URL .*not foo/],
  ['local/dev.ts', { DYNAMODB_ENDPOINT: closed }, /^DYNAMODB_ENDPOINT is .*start it, or unset DYNAMODB_ENDPOINT/],
  ['bench/run.ts', { DYNAMODB_ENDPOINT: 'foo' }, /^DYNAMODB_ENDPOINT must be the URL/m],
  ['cost/run.ts', { DYNAMODB_ENDPOINT: 'ftp://127.0.0.1' }, /^DYNAMODB_ENDPOINT must be the URL/m],
  ['local/dev.ts', { STRIPE_SECRET_KEY: 'sk_live_0' }, /^STRIPE_SECRET_KEY must be a test key/],
  ['local/dev.ts', { STRIPE_SECRET_KEY: 'foo' }, /^STRIPE_SECRET_KEY must be a test key/],
  ['local/dev.ts', { STRIPE_SECRET_KEY: key }, /^STRIPE_SECRET_KEY is set and STRIPE_WEBHOOK_SECRET is not: set it/],
  ['local/dev.ts', { STRIPE_WEBHOOK_SECRET: 'whsec_0' }, /^STRIPE_WEBHOOK_SECRET is set and STRIPE_SECRET_KEY is not/],
  [
    'local/dev.ts',
    { STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRET: 'we_0' },
    /^STRIPE_WEBHOOK_SECRET must be a signing/,
  ],
  ['local/dev.ts', { LOCAL_RUNTIME_URL: 'localhost:11434' }, /^LOCAL_RUNTIME_URL must .*; set it to a URL like/],
  ['local/dev.ts', { LOCAL_RUNTIME: 'ollama' }, /^LOCAL_RUNTIME is set and LOCAL_RUNTIME_URL is not/],
  ['local/dev.ts', { LOCAL_RUNTIME_URL: closed, LOCAL_RUNTIME: 'lama' }, /^LOCAL_RUNTIME must be one of ollama, vllm/],
  ['bin/bootstrap.ts --org=Acme --owner=a@b.example', { AWS_REGION: 'mars' }, /^AWS_REGION must be the region/],
  ['bin/sign-in.ts --email=a@b.example', { AWS_REGION: 'us east 1' }, /^AWS_REGION must be the region/],
  ['bin/smoke.ts', { AWS_REGION: 'us-east' }, /^AWS_REGION must be the region/],
  ['bin/redrive.ts', { AWS_REGION: 'us-east' }, /^AWS_REGION must be the region/],
  ['bin/redrive.ts', { AWS_REGION: 'us-east-1', AWS_PROFILE: 'gone' }, /AWS_PROFILE/],
]

test.concurrent.each(wrongVariables)(
  '%s with %j is refused with the variable and the fix',
  async (command, variables, error) => {
    const [file = '', ...args] = command.split(' ')
    // A port in use is not an error of the variable: use any free port.
    const { code, stderr } = await run(file, file === 'local/dev.ts' ? ['--port', '0'] : args, variables)
    expect([code, stderr]).toEqual([1, expect.stringMatching(error)])
    expect(stderr).not.toMatch(/^ {4}at /m)
  },
)

test('a wrong value of each variable that README lists for npm run dev is tested above', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, paragraph = ''] = /^On one machine, ([\s\S]*?)\n\n/m.exec(readme) ?? []
  const listed = (paragraph.match(/`[A-Z_]{6,}`/g) ?? []).map((name) => name.slice(1, -1))
  const tested = wrongVariables.flatMap(([, variables]) => Object.keys(variables))
  expect(listed).toContain('LOCAL_RUNTIME')
  // The browser tests read it, which no command runs.
  expect(listed.filter((name) => !tested.includes(name) && name !== 'CHROMIUM')).toEqual([])
})

test('an organization is chosen by its printed name or id; any other value is refused with the list', () => {
  const org = (org_id: string, name: string) => ({
    ...{ org_id, name, api_keys: { full_admin: '', read_only: '' } },
    tokens: { owner: '', admin: '', member: '' },
  })
  const state = { url: '', issuer: '', orgs: [org('org_1', 'Acme'), org('org_2', 'Globex')] }
  expect([undefined, 'globex', 'org_2'].map((named) => chooseOrg(state, named).org_id)).toEqual([
    'org_1',
    'org_2',
    'org_2',
  ])
  expect(() => chooseOrg(state, 'org_3')).toThrow(
    '--org must be the name or the id of an organization: Acme (org_1), Globex (org_2); not org_3',
  )
})

test('variables of a deployed stage in the shell do not reach the local service', () => {
  const env = {
    STRIPE_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:1:secret:a',
    OIDC_ORG_CLAIM: 'custom:org',
    AWS_PROFILE: 'prod',
    PATH: '/bin',
    STRIPE_SECRET_KEY: key,
  }
  prepareEnvironment(env)
  expect(env).toEqual({ PATH: '/bin', STRIPE_SECRET_KEY: key })
})

test('a port in use is named, with the next one to try', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await run('local/dev.ts', ['--port', String(port)])
  taken.close()
  expect([code, stderr]).toEqual([
    1,
    `Port ${port} is in use: stop its process, or use another port: npm run dev -- --port ${port + 1}\n`,
  ])
})
