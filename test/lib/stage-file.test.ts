/** The options of a stage: its file, `-c` before it, and the posture, which is safe unless a stage is plainly to be thrown away. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { afterAll, describe, expect, test } from 'vitest'
import { readStageSettings } from '../../lib/stage.ts'
import { loadStageSettings } from '../../lib/stage-context.ts'
import { StageSettingsError } from '../../lib/stage-error.ts'
import { readStageFile } from '../../lib/stage-file.ts'
import { optionNames, stageOptions } from '../../lib/stage-options.ts'
import schema from '../../stages/stage.schema.json' with { type: 'json' }
import { fullStage } from './stages.ts'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'octomil-stages-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const fileOf = (stage: string, content: unknown) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${stage}.json`), typeof content === 'string' ? content : JSON.stringify(content))
  return readStageFile(stage, folder)
}
const read = (context: Record<string, string>, file?: ReturnType<typeof readStageFile>) =>
  readStageSettings((name) => context[name], file)

describe('a stage file', () => {
  test.each(['dev.json', 'production.example.json'])('%s, which we ship, is valid, and its schema says so', (name) => {
    const options = JSON.parse(readFileSync(join(root, 'stages', name), 'utf8'))
    const validate = new Ajv({ strict: false }).compile(schema)
    expect(validate(options), JSON.stringify(validate.errors)).toBe(true)
    expect(read({ stage: name.replace(/\..*/, '') }, fileOf('shipped', options)).given).toEqual(
      Object.fromEntries(Object.entries(options).filter(([option]) => option !== '$schema')),
    )
  })

  test('has the same effect as the same options after -c', () => {
    const options = Object.fromEntries(
      Object.entries(fullStage)
        .filter(([name]) => name !== 'stage')
        .map(([name, text]) => [name, stageOptions[name as keyof typeof stageOptions].fromText(text)]),
    )
    expect(read({ stage: 'prod' }, fileOf('prod', options))).toEqual(read(fullStage))
    const validate = new Ajv({ strict: false }).compile(schema)
    expect(validate(options), JSON.stringify(validate.errors)).toBe(true)
  })

  test('is overridden by -c, and -c name= removes an option', () => {
    const file = fileOf('dev', { alarm_email: 'file@example.com', throttle_rate: 7 })
    const settings = read({ stage: 'dev', alarm_email: 'context@example.com', throttle_rate: '' }, file)
    expect(settings).toMatchObject({ alarmEmail: 'context@example.com', throttle: { rateLimit: 50, burstLimit: 100 } })
  })

  test('may begin with a byte order mark; a folder in its place is named', () => {
    expect(fileOf('bom', '\uFEFF{"throttle_rate": 7}')?.options).toEqual({ throttle_rate: 7 })
    mkdirSync(join(folder, 'folder.json'))
    expect(() => readStageFile('folder', folder)).toThrow(/stages\/folder\.json cannot be read/)
  })

  test('does not treat an empty text as an omitted option', () => {
    expect(() => read({ stage: 'x' }, fileOf('x', { posture: '' }))).toThrow(/posture= in stages\/x\.json/)
  })

  test.each([
    [{ oidc_isuer: 'x' }, /oidc_isuer in stages\/x\.json.*did you mean oidc_issuer\?/],
    [{ colour: 'red' }, /colour in stages\/x\.json.*docs\/deploying\.md/],
    ['{', /stages\/x\.json is not JSON/],
    ['[]', /stages\/x\.json must contain an object/],
  ])('%j is refused, naming the file', (content, message) => {
    expect(() => fileOf('x', content)).toThrow(message)
    expect(() => fileOf('x', content)).toThrow(StageSettingsError)
  })

  test.each([
    [{ alarm_email: 'oncall' }, /alarm_email=oncall in stages\/x\.json: must be one e-mail/],
    [{ cors_origins: 'https://a.example' }, /cors_origins=.* in stages\/x\.json/],
    [{ cors_origins: ['https://a.example/'] }, /cors_origins=.*no slash/],
    [{ throttle_rate: 0 }, /throttle_rate=0 in stages\/x\.json.*1/],
    [{ billing_override: 'off' }, /billing_override=off in.*true or false/],
    [{ vpc_id: 'vpc-0123456789abcdef0', subnet_ids: ['subnet-0123456789abcdef0'] }, /vpc_id=.*subnet_ids.*two/],
    [{ subnet_ids: ['subnet-0123456789abcdef0'] }, /subnet_ids=.*no effect without vpc_id/],
    [{ monthly_budget_usd: 5 }, /monthly_budget_usd=5.*alarm_email/],
    [{ stripe_secret_key_arn: fullStage.stripe_secret_key_arn }, /stripe_secret_key_arn=.*stripe_secret_arn/],
    [{ posture: 'safe' }, /posture=safe.*disposable or protected/],
    [{ front_certificate_arn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0f' }, /us-east-1/],
  ])('%j is refused, naming the option, the file and the fix', (content, message) => {
    expect(() => read({ stage: 'x' }, fileOf('x', content))).toThrow(message)
  })

  test('every option has a help text and a valid example', () => {
    for (const name of optionNames) {
      const { help, example, fromText, schema: option } = stageOptions[name]
      expect(help.length, name).toBeGreaterThan(20)
      expect(option.safeParse(fromText(example)), name).toMatchObject({ success: true })
    }
  })
})

describe('the posture', () => {
  test.each(['dev', 'dev-anna'])('of %s is disposable by its name', (stage) => {
    expect(read({ stage })).toMatchObject({ retainData: false, billingOverride: true })
  })

  test.each(['prod', 'production', 'live', 'staging', 'devil', 'test', 'my-dev'])(
    'of %s is protected, and owners cannot put themselves on any plan',
    (stage) => {
      expect(read({ stage })).toMatchObject({ retainData: true, billingOverride: false })
    },
  )

  test('follows the option, for any name', () => {
    expect(read({ stage: 'test', posture: 'disposable' }).retainData).toBe(false)
    expect(read({ stage: 'dev', posture: 'protected' })).toMatchObject({ retainData: true, billingOverride: false })
  })

  test('a protected stage without a file is refused, since a forgotten -c would be an outage', () => {
    const load = (context: Record<string, string>) => () => loadStageSettings((name) => context[name])
    expect(load({ stage: 'prod' })).toThrow(/stage=prod.*no file.*production\.example\.json.*posture=disposable/)
    expect(load({ stage: 'prod', posture: 'disposable' })).not.toThrow()
    expect(load({ stage: 'dev' })).not.toThrow()
  })
})
