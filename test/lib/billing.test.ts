/** Billing in a stage: Stripe's secret, dashboard origins, the plan override, and bundle sizes. */
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { operationList } from '../../functions/operations.ts'
import { bundle } from '../../lib/bundle.ts'
import { outputNames, readStageSettings, stackName } from '../../lib/stage.ts'
import { StageSettingsError } from '../../lib/stage-error.ts'
import type { Access } from '../../shared/access.ts'
import { ofType, type Properties, propertiesOf, resourcesOf, synthesize } from './synthesize.ts'

const secretArn = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe/octomil-a1B2c3'

let dev: Map<string, Template>
let prod: Map<string, Template>
beforeAll(() => {
  dev = synthesize({ stage: 'dev', cors_origins: 'https://a.example,https://b.example', stripe_secret_arn: secretArn })
  prod = synthesize({ stage: 'prod' })
})

const storage = (templates: Map<string, Template>, stage: string): Template => {
  const template = templates.get(stackName(stage, 'Storage'))
  if (!template) throw new Error('there is no Storage stack')
  return template
}
const functionOf = (templates: Map<string, Template>, id: string): Properties =>
  propertiesOf(resourcesOf(templates.values()), 'AWS::Lambda::Function', ({ Description }) =>
    Description.startsWith(`${id}: `),
  )
const variablesOf = (templates: Map<string, Template>, id: string): Record<string, unknown> =>
  functionOf(templates, id).Environment.Variables

const all = [...operationList, ...backgroundList]
const withStripe = all.filter(([, { access }]) => access.stripe).map(([name, { id }]) => ({ name: name as string, id }))
const without = all.filter(([, { access }]) => !access.stripe).map(([name]) => name as string)

describe('Stripe’s secret', () => {
  test('is created empty by default, retained in prod, and its output explains how to fill it', () => {
    const template = storage(prod, 'prod')
    const [secret] = ofType(resourcesOf([template]), 'AWS::SecretsManager::Secret')
    expect(secret).toMatchObject({ DeletionPolicy: 'RetainExceptOnCreate' })
    expect(secret?.Properties).not.toHaveProperty('SecretString')
    expect(secret?.Properties).not.toHaveProperty('GenerateSecretString')
    const { Outputs } = template.toJSON()
    expect(Outputs[outputNames.stripeSecretArn].Description).toMatch(
      /put-secret-value.*"secret_key".*"webhook_secrets"/,
    )
  })

  test('is the configured one, for the variables and roles of functions that call Stripe only', () => {
    const reading = JSON.stringify(
      resourcesOf(dev.values()).filter(({ Properties }) =>
        JSON.stringify(Properties ?? {}).includes('secretsmanager:GetSecretValue'),
      ),
    )
    expect(reading.match(/secretsmanager:GetSecretValue/g)).toHaveLength(withStripe.length)
    expect(reading.split(secretArn)).toHaveLength(withStripe.length + 1)
    for (const { id } of withStripe) expect(variablesOf(dev, id), id).toMatchObject({ STRIPE_SECRET_ARN: secretArn })
  })

  test('no template contains a Stripe key', () => {
    for (const template of [...dev.values(), ...prod.values()]) {
      expect(JSON.stringify(template.toJSON())).not.toMatch(/(sk|rk)_(test|live)_\w|whsec_\w/)
    }
  })
})

test('cors_origins are also the origins to which Stripe’s pages return', () => {
  for (const id of ['settings.create-checkout-session', 'settings.create-portal-session']) {
    expect(variablesOf(dev, id).DASHBOARD_ORIGINS).toBe('https://a.example,https://b.example')
    expect(variablesOf(prod, id)).not.toHaveProperty('DASHBOARD_ORIGINS')
  }
})

describe('the override of plans', () => {
  const switchOf = (context: Record<string, string>) => readStageSettings((name) => context[name]).billingOverride

  test('is off by default in prod, and on by default elsewhere', () => {
    expect([switchOf({ stage: 'prod' }), switchOf({ stage: 'prod', billing_override: 'on' })]).toEqual([false, true])
    expect([switchOf({}), switchOf({ stage: 'mine', billing_override: 'off' })]).toEqual([true, false])
    expect(variablesOf(prod, 'settings.update-billing').BILLING_OVERRIDE).toBe('off')
    expect(variablesOf(dev, 'settings.update-billing').BILLING_OVERRIDE).toBe('on')
  })
})

test.each([
  [{ stripe_secret_arn: 'stripe/octomil' }, /stripe_secret_arn=stripe.*whole ARN/],
  [{ stripe_secret_arn: secretArn.slice(0, -7) }, /stripe_secret_arn=.*six characters/],
  [{ billing_override: 'yes' }, /billing_override=yes.*on or off/],
])('%j is refused at synth with a message that names the value', (context, message) => {
  const read = () => readStageSettings((name) => (context as Record<string, string>)[name])
  expect(read).toThrow(StageSettingsError)
  expect(read).toThrow(message)
})

describe('bundles', () => {
  const kib = 1024
  const { bytes } = bundle()

  test('with the client of Stripe or of SES are at most 750 KiB, and all others 450', () => {
    const sendsMail = ({ access }: { access: Access }) => access.mail === 'send'
    const withClient = new Set(
      all.flatMap(([name, declared]) => (declared.access.stripe || sendsMail(declared) ? [name as string] : [])),
    )
    const tooLarge = Object.entries(bytes).filter(([name, size]) => size > (withClient.has(name) ? 750 : 450) * kib)
    expect(tooLarge).toEqual([])
    expect(without).toContain('billing/get')
    expect(without).toContain('billing/update')
  })
})
