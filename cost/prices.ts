/**
 * AWS list prices of us-east-1 in US dollars, without free tiers and volume discounts. They are copied by hand, and AWS
 * changes them. Before you rely on a figure, check its page, correct it here, and run `npm run cost`.
 */
export const pricesAsOf = 'the first half of 2026'

export interface Price {
  /** The line of the bill. */
  service: Service
  dollars: number
  /** The number of units that cost `dollars`. */
  per: number
  unit: string
  /** The page under https://aws.amazon.com/ that lists it. */
  page: string
  /** A condition on the price page that the bill ignores. */
  note: string
}

const million = 1_000_000

const price = (service: Service, dollars: number, per: number, unit: string, page: string, note = ''): Price => ({
  ...{ service, dollars, per, unit, note },
  page: page.includes('/') ? page : `${page}/pricing/`,
})

export const services = ['API', 'Lambda', 'Table', 'KMS', 'Logs', 'Events', 'Network', 'Monitoring', 'Other'] as const
export type Service = (typeof services)[number]

export const prices = {
  apiRequests: price('API', 1, million, 'HTTP API requests, of up to 512 KB', 'api-gateway', '0.90 above 300 million'),
  lambdaRequests: price('Lambda', 0.2, million, 'invocations', 'lambda'),
  lambdaGbSeconds: price('Lambda', 0.0000133334, 1, 'GB-seconds on ARM', 'lambda', 'less above 7.5 billion'),
  readUnits: price('Table', 0.125, million, 'read request units, on demand', 'dynamodb'),
  writeUnits: price('Table', 0.625, million, 'write request units, on demand', 'dynamodb'),
  tableGbMonths: price('Table', 0.25, 1, 'GB-months', 'dynamodb', 'the first 25 are free'),
  backupGbMonths: price('Table', 0.2, 1, 'GB-months of point-in-time recovery', 'dynamodb'),
  kmsCalls: price('KMS', 0.03, 10_000, 'calls with a symmetric key', 'kms', 'the first 20,000 are free'),
  signatures: price('KMS', 0.15, 10_000, 'calls with an elliptic curve key', 'kms'),
  keyMonths: price('KMS', 1, 1, 'key-months', 'kms', '1.00 more after each of the first two rotations'),
  logGb: price('Logs', 0.5, 1, 'GB ingested', 'cloudwatch', 'the first 5 are free; less above 10 TB'),
  logGbMonths: price('Logs', 0.03, 1, 'GB-months stored, compressed', 'cloudwatch'),
  alarmMonths: price('Monitoring', 0.1, 1, 'metrics watched by an alarm', 'cloudwatch', 'the first 10 are free'),
  compositeAlarmMonths: price('Monitoring', 0.5, 1, 'composite alarms', 'cloudwatch'),
  dashboardMonths: price('Monitoring', 3, 1, 'dashboards', 'cloudwatch', 'the first 3 are free, of up to 50 metrics'),
  metricMonths: price('Monitoring', 0.3, 1, 'custom metrics, as EMF makes them', 'cloudwatch', 'the first 10 are free'),
  events: price('Events', 1, million, 'EventBridge events of up to 64 KB, custom or partner', 'eventbridge'),
  archiveGb: price('Events', 0.1, 1, 'GB put into an archive', 'eventbridge'),
  archiveGbMonths: price('Events', 0.023, 1, 'GB-months of an archive', 'eventbridge'),
  queueRequests: price('Events', 0.4, million, 'SQS requests', 'sqs', 'the first million is free'),
  cdnGb: price(
    'Network',
    0.085,
    1,
    'GB out of CloudFront, North America and Europe',
    'cloudfront',
    'the first 1,000 are free',
  ),
  cdnRequests: price(
    'Network',
    0.01,
    10_000,
    'HTTPS requests of CloudFront',
    'cloudfront',
    'the first 10 million are free',
  ),
  wafAclMonths: price('Other', 5, 1, 'web ACLs', 'waf'),
  wafRuleMonths: price('Other', 1, 1, 'rules of a web ACL', 'waf'),
  wafRequests: price('Other', 0.6, million, 'requests checked by a web ACL', 'waf'),
  natHours: price('Network', 0.045, 1, 'hours of a NAT gateway', 'vpc'),
  natGb: price('Network', 0.045, 1, 'GB through a NAT gateway', 'vpc'),
  copiedGbMonths: price('Table', 0.1, 1, 'GB-months of a backup, here or in its copy', 'backup'),
  copiedGb: price('Table', 0.02, 1, 'GB copied to another region', 'backup'),
  secretMonths: price('Other', 0.4, 1, 'secrets', 'secrets-manager'),
  secretCalls: price('Other', 0.05, 10_000, 'reads of a secret', 'secrets-manager'),
  signedInUsers: price(
    'Other',
    0.015,
    1,
    'Cognito users who sign in (Essentials)',
    'cognito',
    'the first 10,000 are free',
  ),
  egressGb: price('Network', 0.09, 1, 'GB out to the internet', 'ec2/pricing/on-demand/', 'the first 100 are free'),
} satisfies Record<string, Price>

export type PriceName = keyof typeof prices
