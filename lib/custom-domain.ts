/** The API under a name of one's own: what a stage says of it, and the domain with its DNS record where the zone is named. */
import { CfnOutput } from 'aws-cdk-lib'
import { DomainName, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53'
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets'
import type { Construct } from 'constructs'
import { StageSettingsError } from './stage-error.ts'

export interface CustomDomain {
  domainName: string
  /** Of ACM, in the region of the API, and issued for the name. */
  certificateArn: string
  /** Where the name's record is made; without it somebody makes it by hand. */
  hostedZone: { id: string; name: string } | undefined
}

const hostPattern = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
const certificatePattern = /^arn:aws[\w-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[\w-]+$/
const hostedZonePattern = /^Z[A-Z0-9]{1,31}$/

/** @throws StageSettingsError */
export function readCustomDomain(text: (name: string) => string | undefined): CustomDomain | undefined {
  const domainName = text('domain_name')
  const certificateArn = text('certificate_arn')
  const hostedZone = readHostedZone(text('hosted_zone_id'), text('hosted_zone_name'))
  if (domainName === undefined) {
    for (const name of ['certificate_arn', 'hosted_zone_id']) {
      if (text(name)) throw new StageSettingsError(`-c ${name} is of no use without -c domain_name=<name>`)
    }
    return undefined
  }
  if (!hostPattern.test(domainName)) {
    throw new StageSettingsError(
      `-c domain_name=${domainName}: must be a name like api.example.com, in lower case and without https://`,
    )
  }
  if (certificateArn === undefined) {
    throw new StageSettingsError(`-c domain_name=${domainName} needs -c certificate_arn=<ARN>: its certificate in ACM`)
  }
  if (!certificatePattern.test(certificateArn)) {
    throw new StageSettingsError(
      `-c certificate_arn=${certificateArn}: must be the ARN of a certificate in ACM, arn:aws:acm:<region>:<account>:certificate/…`,
    )
  }
  if (hostedZone && domainName !== hostedZone.name && !domainName.endsWith(`.${hostedZone.name}`)) {
    throw new StageSettingsError(
      `-c hosted_zone_name=${hostedZone.name}: ${domainName} is not in that zone; its record could not be made there`,
    )
  }
  return { domainName, certificateArn, hostedZone }
}

function readHostedZone(id: string | undefined, name: string | undefined): CustomDomain['hostedZone'] {
  if (id === undefined && name === undefined) return undefined
  if (id === undefined || name === undefined) {
    const missing = id === undefined ? 'hosted_zone_id' : 'hosted_zone_name'
    throw new StageSettingsError(`-c ${missing} is missing: a hosted zone is named by its id and its name together`)
  }
  if (!hostedZonePattern.test(id)) {
    throw new StageSettingsError(`-c hosted_zone_id=${id}: must be the id of a Route 53 zone, Z and capitals or digits`)
  }
  if (!hostPattern.test(name)) {
    throw new StageSettingsError(`-c hosted_zone_name=${name}: must be the name of the zone, like example.com`)
  }
  return { id, name }
}

/** Makes the domain that an API's stage is then mapped to. */
export function customDomain(scope: Construct, { domainName, certificateArn, hostedZone }: CustomDomain): DomainName {
  const certificate = Certificate.fromCertificateArn(scope, 'Certificate', certificateArn)
  const domain = new DomainName(scope, 'Domain', { domainName, certificate, securityPolicy: SecurityPolicy.TLS_1_2 })
  const { regionalDomainName, regionalHostedZoneId } = domain
  if (hostedZone) {
    new ARecord(scope, 'DomainRecord', {
      zone: HostedZone.fromHostedZoneAttributes(scope, 'Zone', {
        hostedZoneId: hostedZone.id,
        zoneName: hostedZone.name,
      }),
      recordName: `${domainName}.`,
      target: RecordTarget.fromAlias(new ApiGatewayv2DomainProperties(regionalDomainName, regionalHostedZoneId)),
    })
  } else {
    new CfnOutput(scope, 'DomainTarget', {
      value: regionalDomainName,
      description: `Make a CNAME record of ${domainName} that points here`,
    })
  }
  return domain
}
