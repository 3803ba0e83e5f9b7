/** Options after `-c`: the custom domain, the alarm address, and misspelled names. */
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { describe, expect, test } from 'vitest'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { subscribeByEmail } from '../../lib/alarm-email.ts'
import { ApiStack } from '../../lib/api-stack.ts'
import { meantName } from '../../lib/meant-name.ts'
import { readStageSettings } from '../../lib/stage.ts'
import { contextNames, refuseMisspelled, stageSettingsOf } from '../../lib/stage-context.ts'
import { StageSettingsError } from '../../lib/stage-error.ts'
import { bareStage, fullStage } from './stages.ts'
import { ofType, type Resource, resourcesOf } from './synthesize.ts'

const read = (context: Record<string, string>) => readStageSettings((name) => context[name])

const domain = { domain_name: 'api.example.com', certificate_arn: fullStage.certificate_arn ?? '' }

describe('a custom domain', () => {
  const apiStack = (context: Record<string, string>) => Template.fromStack(new ApiStack(new App(), read(context)))

  test('is mapped to the API with TLS 1.2, has its DNS record, and is in the outputs', () => {
    const template = apiStack(fullStage)
    const resources = resourcesOf([template])
    const [made] = ofType(resources, 'AWS::ApiGatewayV2::DomainName') as [Resource]
    expect(made.Properties).toMatchObject({
      DomainName: 'api.example.com',
      DomainNameConfigurations: [
        { CertificateArn: fullStage.certificate_arn, EndpointType: 'REGIONAL', SecurityPolicy: 'TLS_1_2' },
      ],
    })
    expect(ofType(resources, 'AWS::ApiGatewayV2::ApiMapping')).toHaveLength(1)
    const [record] = ofType(resources, 'AWS::Route53::RecordSet') as [Resource]
    expect(record.Properties).toMatchObject({ Name: 'api.example.com.', HostedZoneId: 'Z0123456789ABC', Type: 'A' })
    const { ApiUrl, DocsUrl } = template.toJSON().Outputs
    expect([ApiUrl.Value, DocsUrl.Value]).toEqual(['https://api.example.com', 'https://api.example.com/api/v1/docs'])
  })

  test('without a zone has no DNS record, and an output with the target', () => {
    const template = apiStack({ ...bareStage, ...domain }).toJSON()
    expect(JSON.stringify(template.Resources)).not.toContain('AWS::Route53')
    expect(template.Outputs.DomainTarget.Description).toContain('CNAME record of api.example.com')
  })

  test('is not created without the option', () => {
    expect(JSON.stringify(apiStack(bareStage).toJSON())).not.toContain('AWS::ApiGatewayV2::DomainName')
  })
})

test.each<[Record<string, string>, RegExp]>([
  [{ domain_name: 'api.example.com' }, /domain_name=api\.example\.com.*certificate_arn/],
  [{ ...domain, domain_name: 'https://api.example.com' }, /domain_name=https.*without https/],
  [{ ...domain, domain_name: 'API.example.com' }, /domain_name=API.*lower case/],
  [{ ...domain, domain_name: 'api' }, /domain_name=api:/],
  [{ ...domain, domain_name: '*.example.com' }, /domain_name=\*/],
  [{ ...domain, domain_name: '10.0.0.1' }, /domain_name=10\.0\.0\.1/],
  [{ ...domain, certificate_arn: 'arn:aws:iam::123456789012:server-certificate/x' }, /certificate_arn=arn:aws:iam/],
  [{ certificate_arn: domain.certificate_arn }, /certificate_arn.*domain_name/],
  [{ hosted_zone_id: 'Z1', hosted_zone_name: 'example.com' }, /hosted_zone_id.*domain_name/],
  [{ ...domain, hosted_zone_id: 'Z0123' }, /hosted_zone_name is missing/],
  [{ ...domain, hosted_zone_name: 'example.com' }, /hosted_zone_id is missing/],
  [{ ...domain, hosted_zone_id: '/hostedzone/Z1', hosted_zone_name: 'example.com' }, /hosted_zone_id=\/hostedzone/],
  [{ ...domain, hosted_zone_id: 'Z1', hosted_zone_name: 'ample.com' }, /hosted_zone_name=ample\.com.*not in that zone/],
  [{ alarm_email: 'oncall' }, /alarm_email=oncall.*one e-mail address/],
  [{ alarm_email: 'a@example.com,b@example.com' }, /alarm_email=.*one e-mail address/],
])('%j is refused at synth with a message that names the value', (context, message) => {
  expect(() => read(context)).toThrow(StageSettingsError)
  expect(() => read(context)).toThrow(message)
})

test('alarms go to the stage’s address, if it has one', () => {
  const subscriptions = (alarmEmail: string | undefined) => {
    const stack = new Stack(new App(), 'Alarms')
    subscribeByEmail(new Topic(stack, 'Topic'), { alarmEmail })
    return ofType(resourcesOf([Template.fromStack(stack)]), 'AWS::SNS::Subscription')
  }
  expect(subscriptions('oncall@example.com')).toMatchObject([
    { Properties: { Protocol: 'email', Endpoint: 'oncall@example.com' } },
  ])
  expect(subscriptions(undefined)).toEqual([])
})

describe('names of context', () => {
  test.each([
    ['oidc_isuer', 'oidc_issuer'],
    ['oidcIssuer', 'oidc_issuer'],
    ['oidc-audience', 'oidc_audience'],
    ['satge', 'stage'],
    ['Stage', 'stage'],
    ['alarm_mail', 'alarm_email'],
    ['cors_origin', 'cors_origins'],
    ['domainname', 'domain_name'],
  ])('-c %s is refused: %s was meant', (given, meant) => {
    expect(() => refuseMisspelled([given])).toThrow(`did you mean -c ${meant}?`)
  })

  test('that are ours, of CDK itself, or of something else are taken', () => {
    const app = new App({ context: { ...cdkJson.context, ...fullStage, posture: 'protected' } })
    app.node.setContext('stage', 'dev')
    expect(stageSettingsOf(app)).toMatchObject({ stage: 'dev', alarmEmail: 'oncall@example.com' })
    const others = ['availability-zones:account=1:region=x', 'aws:cdk:bundling-stacks', 'team', 'environment']
    expect(() => refuseMisspelled([...contextNames, ...others])).not.toThrow()
  })

  test('no option is so similar to another that it would be refused', () => {
    expect(() => refuseMisspelled(contextNames)).not.toThrow()
    for (const name of contextNames) {
      const others = contextNames.filter((other) => other !== name)
      expect(meantName(name, others), name).toBeUndefined()
    }
  })
})
