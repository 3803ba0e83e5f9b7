/** CloudFront and a WAF in front of the API: off unless a stage asks, and then the only way in. */

import { describe, expect, test } from 'vitest'
import { backgroundList } from '../../functions/background.ts'
import { functionName } from '../../lib/function-name.ts'
import { outputNames, stackName } from '../../lib/stage.ts'
import { bareStage, type Context, frontedStage } from './stages.ts'
import { ofType, resourcesOf, synthesize } from './synthesize.ts'

const without: Context = { stage: 'dev', front: 'on' }
const of = (context: Context) => {
  const templates = synthesize(context)
  return { templates, resources: resourcesOf(templates.values()) }
}
const fronted = of(frontedStage)
const unnamed = of(without)
const distribution = ({ resources }: typeof fronted) =>
  ofType(resources, 'AWS::CloudFront::Distribution')
    .map(({ Properties }) => Properties.DistributionConfig)
    .find(({ WebACLId }) => WebACLId !== undefined)

test('a stage without the option has no WAF, no front secret and no function that requires it', () => {
  const { resources } = of(bareStage)
  expect(ofType(resources, 'AWS::WAFv2::WebACL')).toEqual([])
  expect(JSON.stringify(resources)).not.toContain('FRONT_SECRET')
})

describe('with the option', () => {
  test('one rule limits the requests per address, and all others pass', () => {
    const [acl] = ofType(fronted.resources, 'AWS::WAFv2::WebACL')
    expect(acl?.Properties).toMatchObject({ Scope: 'CLOUDFRONT', DefaultAction: { Allow: {} } })
    const [rate] = acl?.Properties.Rules ?? []
    expect(rate).toMatchObject({
      Action: { Block: { CustomResponse: { ResponseCode: 429 } } },
      Statement: { RateBasedStatement: { AggregateKeyType: 'IP', Limit: 500 } },
    })
  })

  test('CloudFront has the domain name, requires TLS 1.2, caches nothing and adds the secret', () => {
    expect(distribution(fronted)).toMatchObject({
      Aliases: ['api.example.com'],
      ViewerCertificate: {
        AcmCertificateArn: frontedStage.front_certificate_arn,
        MinimumProtocolVersion: 'TLSv1.2_2021',
      },
      DefaultCacheBehavior: {
        // The managed policies CachingDisabled and AllViewerExceptHostHeader.
        CachePolicyId: '4135ea2d-6df8-44a3-9df3-4b5a84be39ad',
        OriginRequestPolicyId: 'b689b0a8-53d0-40ab-baf2-68738e2966ac',
        ViewerProtocolPolicy: 'https-only',
        AllowedMethods: expect.arrayContaining(['DELETE', 'OPTIONS', 'PATCH', 'POST', 'PUT']),
      },
    })
    const [origin] = distribution(fronted)?.Origins ?? []
    expect(origin?.OriginCustomHeaders).toEqual([{ HeaderName: 'x-octomil-front', HeaderValue: expect.anything() }])
    expect(JSON.stringify(origin?.OriginCustomHeaders)).toContain('{{resolve:secretsmanager:')
    const [edge] = ofType(fronted.resources, 'AWS::CloudFront::Function')
    expect(edge?.Properties.FunctionCode).toContain("'x-octomil-client-address'] = { value: event.viewer.ip }")
  })

  test('every operation’s function requires the secret, which no template contains', () => {
    const functions = ofType(fronted.resources, 'AWS::Lambda::Function')
    const asking = functions.filter(({ Properties }) => Properties.Environment.Variables.FRONT_SECRET)
    const background = backgroundList.map(([name]) => functionName('dev', name))
    const others = functions.filter((each) => !asking.includes(each)).map(({ Properties }) => Properties.FunctionName)
    expect(others.filter((name) => !background.includes(name)).filter((name) => !/trigger|token/.test(name))).toEqual(
      [],
    )
    for (const { Properties } of asking)
      expect(JSON.stringify(Properties.Environment.Variables.FRONT_SECRET)).toContain('{{resolve:secretsmanager:')
    const secrets = ofType(fronted.resources, 'AWS::SecretsManager::Secret')
    expect(secrets.some(({ Properties }) => Properties.GenerateSecretString)).toBe(true)
  })

  test('the API has no custom domain, and clients use the address of CloudFront', () => {
    expect(ofType(fronted.resources, 'AWS::ApiGatewayV2::DomainName')).toEqual([])
    const urlOf = ({ templates }: typeof fronted) =>
      templates.get(stackName('dev', 'Api'))?.toJSON().Outputs[outputNames.apiUrl].Value
    expect(urlOf(fronted)).toBe('https://api.example.com')
    expect(JSON.stringify(urlOf(unnamed))).toContain('Distribution')
    const [record] = ofType(fronted.resources, 'AWS::Route53::RecordSet')
    expect(record?.Properties).toMatchObject({ Name: 'api.example.com.', HostedZoneId: 'Z0123456789ABC' })
  })

  test('a web ACL of the operator replaces ours', () => {
    const arn = 'arn:aws:wafv2:us-east-1:123456789012:global/webacl/octomil/0f1e2d3c'
    const named = of({ ...without, front_web_acl_arn: arn })
    expect(ofType(named.resources, 'AWS::WAFv2::WebACL')).toEqual([])
    expect(distribution(named)?.WebACLId).toBe(arn)
  })
})
