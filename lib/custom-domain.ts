/** The custom domain of the API: its options, the domain, and its DNS record if the zone is given. */
import { CfnOutput } from 'aws-cdk-lib'
import { DomainName, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { ARecord, HostedZone, type IAliasRecordTarget, RecordTarget } from 'aws-cdk-lib/aws-route53'
import type { Construct } from 'constructs'
import type { GivenOptions } from './stage-values.ts'

export interface CustomDomain {
  domainName: string
  /** Of API Gateway's domain, in the region of the API. With a front there may be none. */
  certificateArn: string | undefined
  /** Of CloudFront, in us-east-1, in stages with a front. */
  frontCertificateArn: string | undefined
  /** Where the deploy makes the record of the name; without it an operator makes it by hand. */
  hostedZone: { id: string; name: string } | undefined
}

export function readCustomDomain(given: GivenOptions): CustomDomain | undefined {
  const { domain_name: domainName, certificate_arn, front, front_certificate_arn } = given.values
  given.requireWith('domain_name', ['certificate_arn', 'front_certificate_arn', 'hosted_zone_id', 'hosted_zone_name'])
  const hostedZone = readHostedZone(given)
  if (domainName === undefined) return undefined
  if (front && !front_certificate_arn)
    given.refuse('domain_name', 'with front, needs front_certificate_arn=<ARN>, its certificate in us-east-1')
  if (!front && !certificate_arn) given.refuse('domain_name', 'needs certificate_arn=<ARN>, its certificate in ACM')
  if (hostedZone && domainName !== hostedZone.name && !domainName.endsWith(`.${hostedZone.name}`))
    given.refuse('hosted_zone_name', `${domainName} is not in that zone; its record could not be made there`)
  return { domainName, certificateArn: certificate_arn, frontCertificateArn: front_certificate_arn, hostedZone }
}

function readHostedZone(given: GivenOptions): CustomDomain['hostedZone'] {
  const { hosted_zone_id: id, hosted_zone_name: name } = given.values
  if (id === undefined && name === undefined) return undefined
  if (id === undefined) given.refuse('hosted_zone_name', 'hosted_zone_id is missing; a zone needs its id and its name')
  if (name === undefined)
    given.refuse('hosted_zone_id', 'hosted_zone_name is missing; a zone needs its id and its name')
  return { id, name }
}

/** Makes the domain that the stage of the API is mapped to. */
export const apiDomain = (scope: Construct, domainName: string, certificateArn: string): DomainName =>
  new DomainName(scope, 'Domain', {
    domainName,
    certificate: Certificate.fromCertificateArn(scope, 'Certificate', certificateArn),
    securityPolicy: SecurityPolicy.TLS_1_2,
  })

/**
 * Points the name to the API, or says where to point it. One record under one id: its target changes with the option `front`,
 * and a second record of the same name could not be made beside it.
 */
export function addRecord(
  scope: Construct,
  { domainName, hostedZone }: CustomDomain,
  { host, alias }: { host: string; alias: IAliasRecordTarget },
): void {
  if (!hostedZone) {
    const description = `Make a CNAME record of ${domainName} that points here`
    new CfnOutput(scope, 'DomainTarget', { value: host, description })
    return
  }
  const zone = { hostedZoneId: hostedZone.id, zoneName: hostedZone.name }
  new ARecord(scope, 'DomainRecord', {
    zone: HostedZone.fromHostedZoneAttributes(scope, 'Zone', zone),
    recordName: `${domainName}.`,
    target: RecordTarget.fromAlias(alias),
  })
}
