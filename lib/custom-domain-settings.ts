/** The options of the custom domain. Apart from its constructs, so that commands read a stage's settings without loading the CDK. */
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
