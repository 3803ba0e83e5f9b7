/** The custom domain of the API, and its DNS record if the zone is given. */
import { CfnOutput } from 'aws-cdk-lib'
import { DomainName, SecurityPolicy } from 'aws-cdk-lib/aws-apigatewayv2'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import { ARecord, HostedZone, type IAliasRecordTarget, RecordTarget } from 'aws-cdk-lib/aws-route53'
import type { Construct } from 'constructs'
import type { CustomDomain } from './custom-domain-settings.ts'

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
