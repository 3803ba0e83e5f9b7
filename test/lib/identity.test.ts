/** Sign-in of people: the user pool of a stage without an issuer, and its settings in functions. */
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { operationList } from '../../functions/operations.ts'
import { IdentityStack, withIdentity } from '../../lib/identity-stack.ts'
import { readStageSettings, stackName } from '../../lib/stage.ts'
import { userAttributes } from '../../lib/user-attributes.ts'
import { bareStage, fullStage } from './stages.ts'
import { ofType, type Resource, resourcesOf, synthesize } from './synthesize.ts'

/** Of `session_duration_hours`. */
const maxSessionHours = 720

let dev: Map<string, Template>
let pool: Resource
let client: Resource

const only = (resources: readonly Resource[], type: string): Resource => {
  const [found, ...more] = ofType(resources, type)
  if (!found || more.length > 0) throw new Error(`not exactly one ${type}`)
  return found
}

beforeAll(() => {
  dev = synthesize(bareStage)
  const made = resourcesOf(dev.values())
  pool = only(made, 'AWS::Cognito::UserPool')
  client = only(made, 'AWS::Cognito::UserPoolClient')
})

const knowingTheirCaller = operationList.filter(([, { scope }]) => scope !== 'public').length

describe('a stage that names no issuer', () => {
  test('has a user pool that only an operator adds people to, by their e-mail address', () => {
    expect(pool.Properties).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      UsernameAttributes: ['email'],
      UsernameConfiguration: { CaseSensitive: false },
    })
  })

  test('requires strong passwords, allows an authenticator, and never sends a text message', () => {
    expect(pool.Properties).toMatchObject({
      MfaConfiguration: 'OPTIONAL',
      EnabledMfas: ['SOFTWARE_TOKEN_MFA'],
      Policies: {
        PasswordPolicy: {
          MinimumLength: 12,
          RequireLowercase: true,
          RequireUppercase: true,
          RequireNumbers: true,
          RequireSymbols: true,
        },
      },
    })
    expect(pool.Properties.SmsConfiguration).toBeUndefined()
  })

  test('puts organization and role into ID tokens, and users cannot write them', () => {
    const { ReadAttributes, WriteAttributes } = client.Properties
    expect(ReadAttributes).toEqual(expect.arrayContaining(['email', userAttributes.org, userAttributes.role]))
    expect(WriteAttributes).toEqual(['name'])
    const schema = pool.Properties.Schema
    expect(schema.map(({ Name, Mutable }) => [`custom:${Name}`, Mutable])).toEqual([
      [userAttributes.org, false],
      [userAttributes.role, true],
    ])
  })

  test('has a public client that accepts passwords only with AWS credentials', () => {
    expect(client.Properties).toMatchObject({
      GenerateSecret: false,
      PreventUserExistenceErrors: 'ENABLED',
      EnableTokenRevocation: true,
      AllowedOAuthFlowsUserPoolClient: false,
    })
    expect(client.Properties.ExplicitAuthFlows).not.toContain('ALLOW_USER_PASSWORD_AUTH')
    expect(client.Properties.ExplicitAuthFlows).toContain('ALLOW_ADMIN_USER_PASSWORD_AUTH')
  })

  test('hands out tokens of an hour, renewed for as long as the longest session that an organization can set', () => {
    expect(client.Properties).toMatchObject({
      IdTokenValidity: 60,
      AccessTokenValidity: 60,
      RefreshTokenValidity: maxSessionHours * 60,
      TokenValidityUnits: { IdToken: 'minutes', AccessToken: 'minutes', RefreshToken: 'minutes' },
    })
  })

  test('passes issuer, client, keys and claims to every authenticating function', () => {
    const told = variablesOf(dev).filter((variables) => 'OIDC_ISSUER' in variables)
    expect(told).toHaveLength(knowingTheirCaller)
    for (const variables of told) {
      expect(variables).toMatchObject({ OIDC_ORG_CLAIM: userAttributes.org, OIDC_ROLE_CLAIM: userAttributes.role })
      expect(JSON.stringify(variables.OIDC_AUDIENCE)).toMatch(/ImportValue.*UserPoolClient/)
      expect(JSON.stringify(variables.OIDC_ISSUER)).toMatch(/"https:\/\/".*ImportValue.*UserPool.*ProviderName/)
      expect(JSON.stringify(variables.OIDC_JWKS_URI)).toMatch(/ProviderName.*\/\.well-known\/jwks\.json/)
    }
  })

  test('has a trigger that adds the second factor to ID tokens, which this pool alone may invoke', () => {
    const template = dev.get(stackName('dev', 'Identity'))
    const [[trigger] = []] = Object.entries(template?.findResources('AWS::Lambda::Function') ?? {})
    const [[poolId] = []] = Object.entries(template?.findResources('AWS::Cognito::UserPool') ?? {})
    expect(pool.Properties.LambdaConfig).toEqual({ PreTokenGeneration: { 'Fn::GetAtt': [trigger, 'Arn'] } })
    template?.hasResourceProperties('AWS::Lambda::Permission', {
      Action: 'lambda:InvokeFunction',
      FunctionName: { 'Fn::GetAtt': [trigger, 'Arn'] },
      Principal: 'cognito-idp.amazonaws.com',
      SourceArn: { 'Fn::GetAtt': [poolId, 'Arn'] },
    })
  })

  /** The trigger's inference of a second factor: with an active authenticator, Cognito asks for a code at every sign-in. */
  test('remembers no devices, and accepts only a password as the first factor', () => {
    expect(pool.Properties).not.toHaveProperty('DeviceConfiguration')
    expect(pool.Properties.Policies).not.toHaveProperty('SignInPolicy')
    expect(pool.Properties).not.toHaveProperty('WebAuthnFactorConfiguration')
    expect(client.Properties.SupportedIdentityProviders).toEqual(['COGNITO'])
    expect(client.Properties.ExplicitAuthFlows).not.toContain('ALLOW_CUSTOM_AUTH')
  })

  test('says where its pool is', () => {
    const outputs = dev.get(stackName('dev', 'Identity'))?.toJSON().Outputs
    expect(Object.keys(outputs)).toEqual(expect.arrayContaining(['UserPoolId', 'UserPoolClientId', 'SignInIssuer']))
  })
})

test('in prod the pool outlives its stack and is protected from deletion; in dev it is deleted with the stack', () => {
  const prod = new IdentityStack(
    new App(),
    readStageSettings((name) => ({ stage: 'prod' })[name]),
  )
  expect(prod.terminationProtection).toBe(true)
  const kept = only(resourcesOf([Template.fromStack(prod)]), 'AWS::Cognito::UserPool')
  expect(kept).toMatchObject({ DeletionPolicy: 'Retain', Properties: { DeletionProtection: 'ACTIVE' } })
  expect(pool).toMatchObject({ DeletionPolicy: 'Delete', Properties: { DeletionProtection: 'INACTIVE' } })
})

test('a stage that names its issuer gets no pool', () => {
  const app = new App()
  const settings = readStageSettings((name) => fullStage[name])
  expect(withIdentity(app, settings)).toBe(settings)
  expect(app.node.children).toEqual([])
})

test('a stage with API keys only gets no pool, and its functions no issuer', () => {
  const keysOnly = synthesize({ stage: 'dev-keys', oidc_issuer: 'none' })
  expect(ofType(resourcesOf(keysOnly.values()), 'AWS::Cognito::UserPool')).toEqual([])
  expect(variablesOf(keysOnly).filter((variables) => 'OIDC_ISSUER' in variables)).toEqual([])
  expect(() => readStageSettings((name) => ({ oidc_issuer: 'none', oidc_audience: 'x' })[name])).toThrow(
    /oidc_audience/,
  )
})

const variablesOf = (templates: Map<string, Template>): Record<string, unknown>[] =>
  ofType(resourcesOf(templates.values()), 'AWS::Lambda::Function').map(
    ({ Properties }) => Properties.Environment.Variables,
  )
