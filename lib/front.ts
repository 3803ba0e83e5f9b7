/**
 * CloudFront with a WAF in front of the API (option `front`): an HTTP API supports no WAF. A rate rule limits each
 * address, and the functions refuse requests that bypass CloudFront.
 */
import { Fn, Validations } from 'aws-cdk-lib'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import {
  AllowedMethods,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  HttpVersion,
  OriginRequestPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { CloudFrontTarget } from 'aws-cdk-lib/aws-route53-targets'
import { CfnWebACL } from 'aws-cdk-lib/aws-wafv2'
import { Construct } from 'constructs'
import { frontHeaders } from '../shared/http/front.ts'
import { frontSecretValue } from './front-secret.ts'
import type { FrontSettings, StageSettings } from './stage.ts'

interface FrontProps {
  settings: StageSettings & { front: FrontSettings }
  /** URL of the API at AWS, `https://…`. */
  apiEndpoint: string
  frontSecretArn: string
}

/** A client could send the header too, so the function replaces it. */
const edgeCode = `function handler(event) {
  var request = event.request
  request.headers['${frontHeaders.clientAddress}'] = { value: event.viewer.ip }
  return request
}`

export class Front extends Construct {
  /** Public URL of the API. */
  readonly url: string
  /** For the record of the custom domain. */
  readonly host: string
  readonly alias: CloudFrontTarget

  constructor(scope: Construct, { settings, apiEndpoint, frontSecretArn }: FrontProps) {
    super(scope, 'Front')
    const { front, customDomain, stage } = settings
    const webAclArn = front.webAclArn ?? webAcl(this, stage, front.requestsPerFiveMinutes)
    const distribution = new Distribution(this, 'Distribution', {
      comment: `Octomil settings API ${stage}`,
      webAclId: webAclArn,
      httpVersion: HttpVersion.HTTP2_AND_3,
      minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
      // The record of the domain is an A record, so that IPv4 ranges of an ip_allowlist hold.
      enableIpv6: false,
      ...(customDomain?.frontCertificateArn
        ? {
            domainNames: [customDomain.domainName],
            certificate: Certificate.fromCertificateArn(this, 'Certificate', customDomain.frontCertificateArn),
          }
        : {}),
      defaultBehavior: {
        origin: new HttpOrigin(Fn.select(2, Fn.split('/', apiEndpoint)), {
          customHeaders: { [frontHeaders.secret]: frontSecretValue(frontSecretArn, front.secretVersion) },
        }),
        allowedMethods: AllowedMethods.ALLOW_ALL,
        cachePolicy: CachePolicy.CACHING_DISABLED,
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY,
        functionAssociations: [
          {
            eventType: FunctionEventType.VIEWER_REQUEST,
            function: new EdgeFunction(this, 'ClientAddress', { code: FunctionCode.fromInline(edgeCode) }),
          },
        ],
      },
    })
    acknowledge(distribution, customDomain === undefined)
    this.url = `https://${customDomain?.domainName ?? distribution.distributionDomainName}`
    this.host = distribution.distributionDomainName
    this.alias = new CloudFrontTarget(distribution)
  }
}

/** Only in us-east-1: CloudFront accepts web ACLs of that region only. */
function webAcl(scope: Construct, stage: string, requestsPerFiveMinutes: number): string {
  const measured = (metricName: string) => ({
    cloudWatchMetricsEnabled: true,
    sampledRequestsEnabled: false,
    metricName: `octomil-settings-${stage}-${metricName}`,
  })
  const { attrArn } = new CfnWebACL(scope, 'WebAcl', {
    scope: 'CLOUDFRONT',
    defaultAction: { allow: {} },
    visibilityConfig: measured('all'),
    rules: [
      {
        name: 'rate-per-address',
        priority: 0,
        action: { block: { customResponse: { responseCode: 429 } } },
        statement: { rateBasedStatement: { aggregateKeyType: 'IP', limit: requestsPerFiveMinutes } },
        visibilityConfig: measured('rate-per-address'),
      },
      {
        name: 'known-bad-addresses',
        priority: 1,
        overrideAction: { none: {} },
        statement: {
          managedRuleGroupStatement: { vendorName: 'AWS', name: 'AWSManagedRulesAmazonIpReputationList' },
        },
        visibilityConfig: measured('known-bad-addresses'),
      },
    ],
  })
  return attrArn
}

function acknowledge(distribution: Distribution, isUnnamed: boolean): void {
  const findings = {
    'AwsSolutions-CFR1': 'Customers call from any country; each restricts its callers with ip_allowlist.',
    'AwsSolutions-CFR3': 'The access log of API Gateway and the log lines of functions contain more about a request.',
    ...(isUnnamed
      ? { 'AwsSolutions-CFR4': 'Without a domain, the certificate of CloudFront applies, with a fixed TLS policy.' }
      : {}),
  }
  for (const [id, reason] of Object.entries(findings)) Validations.of(distribution).acknowledge({ id, reason })
}
