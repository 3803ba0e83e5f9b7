/** The custom domain of the API: its options, the domain, and its DNS record if the zone is given. */
import { CfnOutput } from 'aws-cdk-lib'
import { DomainName, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53'
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets'
import type { Construct } from 'constructs'
import type { GivenOptions } from './stage-values.ts'

export interface CustomDomain {
  domainName: string
  /** ACM certificate for the name, in the API's region. */
  certificateArn: string
  /** Zone in which the deploy creates the DNS record. Without it, an operator creates the record. */
  hostedZone: { id: string; name: string } | undefined
}

export function readCustomDomain(given: GivenOptions): CustomDomain | undefined {
  const { domain_name: domainName, certificate_arn: certificateArn, front, front_certificate_arn } = given.values
  given.requireWith('domain_name', ['certificate_arn', 'hosted_zone_id', 'hosted_zone_name'])
  const hostedZone = readHostedZone(given)
  if (domainName === undefined) return undefined
  // With a front, CloudFront serves the name with its certificate.
  const certificate = front ? (front_certificate_arn ?? '') : certificateArn
  if (certificate === undefined) given.refuse('domain_name', 'needs certificate_arn=<ARN>, its certificate in ACM')
  if (hostedZone && domainName !== hostedZone.name && !domainName.endsWith(`.${hostedZone.name}`))
    given.refuse('hosted_zone_name', `${domainName} is not in that zone; its record could not be made there`)
  return { domainName, certificateArn: certificate, hostedZone }
}

function readHostedZone(given: GivenOptions): CustomDomain['hostedZone'] {
  const { hosted_zone_id: id, hosted_zone_name: name } = given.values
  if (id === undefined && name === undefined) return undefined
  if (id === undefined) given.refuse('hosted_zone_name', 'hosted_zone_id is missing; a zone needs its id and its name')
  if (name === undefined)
    given.refuse('hosted_zone_id', 'hosted_zone_name is missing; a zone needs its id and its name')
  return { id, name }
}

/** Creates the domain, to which the API's stage is then mapped. */
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
