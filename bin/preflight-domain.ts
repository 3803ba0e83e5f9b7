/** Preflight checks of the custom domain: its certificate in ACM and its hosted zone in Route 53. */
import { ACMClient, type CertificateDetail, DescribeCertificateCommand } from '@aws-sdk/client-acm'
import { GetHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53'
import { type Finding, fail, ok, skip } from './checks.ts'
import { clientLimits, type PreflightContext, permitted, unlessMissing } from './preflight-context.ts'

/**
 * CloudFront accepts certificates and web ACLs of this region only.
 * https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
 */
const frontRegion = 'us-east-1'

/** A stage creates the web ACL of its front in its region. */
export async function front({ settings, region }: PreflightContext): Promise<Finding> {
  if (!settings.front) return skip('the stage has no front')
  if (settings.front.webAclArn !== undefined || region === frontRegion) return ok()
  return fail(
    `the region ${frontRegion}, where CloudFront looks for a web ACL`,
    region ?? 'none',
    `deploy the stage to ${frontRegion}, or create a web ACL there and set front_web_acl_arn`,
  )
}

/**
 * The certificate of a regional domain is in the region of the API.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-regional-api-custom-domain-create.html
 */
export async function certificate({ settings, region: stageRegion }: PreflightContext): Promise<Finding> {
  if (!settings.customDomain) return skip('the stage has no domain_name')
  const { domainName, certificateArn: regional, frontCertificateArn } = settings.customDomain
  const region = settings.front ? frontRegion : stageRegion
  const certificateArn = (settings.front ? frontCertificateArn : regional) ?? ''
  const request = `aws acm request-certificate --domain-name ${domainName} --validation-method DNS --region ${region}`
  const itsRegion = certificateArn.split(':')[3] ?? ''
  if (itsRegion !== region) return fail(`a certificate in ${region}`, `one in ${itsRegion}`, request)
  const read = new ACMClient({ ...clientLimits, region }).send(
    new DescribeCertificateCommand({ CertificateArn: certificateArn }),
  )
  const answer = await permitted('acm:DescribeCertificate', unlessMissing(read, 'ResourceNotFoundException'))
  if (!answer?.Certificate) return fail(`the certificate ${certificateArn}`, 'none', request)
  return findingOf(answer.Certificate, domainName, request)
}

function findingOf(found: CertificateDetail, domainName: string, request: string): Finding {
  if (found.Status !== 'ISSUED') return fail('status ISSUED', `${found.Status}`, validationFix(found, request))
  const names = [found.DomainName ?? '', ...(found.SubjectAlternativeNames ?? [])]
  if (!names.some((name) => covers(name, domainName)))
    return fail(`a certificate for ${domainName}`, `one for ${[...new Set(names)].join(', ')}`, request)
  return ok(`issued until ${found.NotAfter?.toISOString().slice(0, 10) ?? 'an unknown day'}`)
}

const validationFix = ({ Status, CertificateArn }: CertificateDetail, request: string): string =>
  Status === 'PENDING_VALIDATION'
    ? `create the DNS record shown by: aws acm describe-certificate --certificate-arn ${CertificateArn} --query Certificate.DomainValidationOptions`
    : request

/** A wildcard matches one label. https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html */
function covers(name: string, domainName: string): boolean {
  const lower = name.toLowerCase()
  return lower === domainName || (lower.startsWith('*.') && lower.slice(1) === domainName.replace(/^[^.]+/, ''))
}

export async function hostedZone({ settings: { customDomain } }: PreflightContext): Promise<Finding> {
  if (!customDomain) return skip('the stage has no domain_name')
  const { hostedZone: zone } = customDomain
  if (!zone) return skip('the stage has no hosted_zone_id; create the DNS record in the output DomainTarget')
  const list = `aws route53 list-hosted-zones-by-name --dns-name ${zone.name}`
  const read = new Route53Client(clientLimits).send(new GetHostedZoneCommand({ Id: zone.id }))
  const found = (await permitted('route53:GetHostedZone', unlessMissing(read, 'NoSuchHostedZone')))?.HostedZone
  if (!found) return fail(`the hosted zone ${zone.id}`, 'none', list)
  const name = found.Name?.replace(/\.$/, '')
  if (name !== zone.name) return fail(`the zone ${zone.name}`, `${zone.id} is ${name}`, list)
  if (found.Config?.PrivateZone) return fail('a public zone', `${zone.id} is private`, list)
  return ok(name)
}
