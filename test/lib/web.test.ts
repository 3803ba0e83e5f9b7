/** The web distribution: a private bucket, read by CloudFront only, under strict headers; and the files it serves. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import type { Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { addStacks } from '../../lib/app.ts'
import { readStageSettings, stackName } from '../../lib/stage.ts'
import { webBucketName } from '../../lib/web-bucket-stack.ts'
import { webSite } from '../../lib/web-site.ts'
import { ofType, type Resource, resourcesOf, synthesize } from './synthesize.ts'

let app: Map<string, Template>
let resources: Resource[]
const one = (type: string): Resource => {
  const [found, ...more] = ofType(resources, type)
  if (!found || more.length > 0) throw new Error(`there should be one ${type}`)
  return found
}
const configOf = (type: string) => one(type).Properties.DistributionConfig

beforeAll(() => {
  app = synthesize({ stage: 'dev' })
  resources = resourcesOf(['WebBucket', 'Web'].map((part) => app.get(stackName('dev', part)) as Template))
})

describe('the bucket', () => {
  test('is closed to the public, encrypted, and without ACLs', () => {
    const { Properties } = one('AWS::S3::Bucket')
    expect(Properties.PublicAccessBlockConfiguration).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    })
    expect(Properties.OwnershipControls.Rules).toEqual([{ ObjectOwnership: 'BucketOwnerEnforced' }])
    expect(JSON.stringify(Properties.BucketEncryption)).toContain('AES256')
    for (const name of ['AccessControl', 'CorsConfiguration', 'WebsiteConfiguration'])
      expect(Properties).not.toHaveProperty(name)
  })

  test('lets the publishing role write and CloudFront read, by TLS 1.2 or newer', () => {
    const { Statement } = one('AWS::S3::BucketPolicy').Properties.PolicyDocument
    const allowed = Statement.filter(({ Effect }) => Effect === 'Allow')
    const principals = allowed.map(({ Principal }) => JSON.stringify(Principal))
    expect(principals.filter((text) => text.includes('*'))).toEqual([])
    expect(allowed.map(({ Sid, Action }) => [Sid, Action])).toEqual([
      ['FindPublished', ['s3:GetBucketLocation', 's3:GetEncryptionConfiguration', 's3:ListBucket']],
      ['Publish', ['s3:AbortMultipartUpload', 's3:PutObject']],
      ['ReadByCloudFront', 's3:GetObject'],
    ])
    const [, , reading] = allowed
    expect(reading?.Principal).toEqual({ Service: 'cloudfront.amazonaws.com' })
    expect(JSON.stringify(reading?.Condition.ArnLike['aws:SourceArn'])).toMatch(/AWS::AccountId.*:distribution\/\*/)
    const denied = Statement.filter(({ Effect }) => Effect === 'Deny')
    expect(denied.map(({ Condition }) => Condition)).toEqual([
      { Bool: { 'aws:SecureTransport': 'false' } },
      { NumericLessThan: { 's3:TlsVersion': 1.2 } },
    ])
  })

  test('has a valid name for the longest stage in the longest region', () => {
    expect(webBucketName('s'.repeat(20), '0'.repeat(12), 'ap-southeast-99').length).toBeLessThanOrEqual(63)
  })
})

describe('the distribution', () => {
  test('reads the bucket with signed requests (origin access control)', () => {
    const { Origins } = configOf('AWS::CloudFront::Distribution')
    expect(Origins).toHaveLength(2)
    for (const { OriginAccessControlId, S3OriginConfig } of Origins) {
      expect(OriginAccessControlId['Fn::GetAtt'][0]).toMatch(/^OriginAccess/)
      expect(S3OriginConfig).toEqual({ OriginAccessIdentity: '' })
    }
    expect(one('AWS::CloudFront::OriginAccessControl').Properties.OriginAccessControlConfig).toMatchObject({
      SigningBehavior: 'always',
      SigningProtocol: 'sigv4',
    })
  })

  test('answers by HTTPS, compressed, reads only, and a missing file with 404', () => {
    const { DefaultCacheBehavior, CacheBehaviors, CustomErrorResponses } = configOf('AWS::CloudFront::Distribution')
    for (const behavior of [DefaultCacheBehavior, ...CacheBehaviors]) {
      expect(behavior).toMatchObject({ ViewerProtocolPolicy: 'redirect-to-https', Compress: true })
      expect(behavior.AllowedMethods ?? ['GET', 'HEAD']).toEqual(['GET', 'HEAD'])
      expect(behavior.ResponseHeadersPolicyId.Ref).toBeDefined()
    }
    expect(CustomErrorResponses.map(({ ErrorCode, ResponseCode }) => [ErrorCode, ResponseCode])).toEqual([
      [403, 404],
      [404, 404],
    ])
  })

  test('caches assets for a year, and pages for 5 minutes', () => {
    expect(headersOf('assets')['Cache-Control']).toBe('public, max-age=31536000, immutable')
    expect(headersOf('pages')['Cache-Control']).toBe('public, max-age=300')
    expect(one('AWS::CloudFront::CachePolicy').Properties.CachePolicyConfig).toMatchObject({ MaxTTL: 300 })
  })

  test.each(['pages', 'assets'])('sends strict headers with %s', (part) => {
    const { SecurityHeadersConfig: secure } = policyOf(part)
    expect(secure.ContentSecurityPolicy.ContentSecurityPolicy).toMatch(/^default-src 'none';.*frame-ancestors 'none'/)
    expect(secure.StrictTransportSecurity.AccessControlMaxAgeSec).toBeGreaterThanOrEqual(31536000)
    expect(secure.ReferrerPolicy.ReferrerPolicy).toBe('no-referrer')
    for (const { Override } of Object.values(secure) as { Override: boolean }[]) expect(Override).toBe(true)
    expect(Object.keys(secure)).toContain('ContentTypeOptions')
  })

  test('lets other origins read assets only, without credentials', () => {
    expect(policyOf('pages').CorsConfig).toBeUndefined()
    expect(policyOf('assets').CorsConfig).toMatchObject({
      AccessControlAllowCredentials: false,
      AccessControlAllowMethods: { Items: ['GET', 'HEAD'] },
    })
  })

  test('has names that another region of the account does not have', () => {
    const names = ['pages', 'assets'].map((part) => JSON.stringify(policyOf(part).Name))
    names.push(JSON.stringify(one('AWS::CloudFront::OriginAccessControl').Properties.OriginAccessControlConfig.Name))
    for (const name of names) expect(name).toContain('AWS::Region')
  })

  function policyOf(part: string) {
    const policies = ofType(resources, 'AWS::CloudFront::ResponseHeadersPolicy')
    const configs = policies.map(({ Properties }) => Properties.ResponseHeadersPolicyConfig)
    const found = configs.find(({ Name }) => JSON.stringify(Name).includes(`-${part}"`))
    if (!found) throw new Error(`no policy of ${part}`)
    return found
  }

  const headersOf = (part: string): Record<string, string> =>
    Object.fromEntries(policyOf(part).CustomHeadersConfig.Items.map(({ Header, Value }) => [Header, Value]))
})

describe('the published site', () => {
  const outdir = mkdtempSync(join(tmpdir(), 'octomil-web-'))
  const web = stackName('dev', 'Web')
  let manifest: { files: Record<string, PublishedFile> }
  interface PublishedFile {
    source: { path: string; packaging: string }
    destinations: { bucket: { bucketName: string; objectKey: string; assumeRoleArn: string } }
  }

  beforeAll(() => {
    const written = new App({ outdir, context: cdkJson.context })
    addStacks(
      written,
      readStageSettings((name) => ({ stage: 'dev' })[name]),
    )
    const { artifacts = {} } = written.synth().manifest
    // The CLI publishes a stack's assets after the stacks that it depends on, and before itself.
    expect(artifacts[web]?.dependencies).toEqual(expect.arrayContaining([`${web}.site`, stackName('dev', 'WebBucket')]))
    manifest = JSON.parse(readFileSync(join(outdir, `${web}.site.json`), 'utf8'))
  })

  test('is every file of the site, as it was built, into the bucket of the stage', () => {
    expect(Object.keys(manifest.files).toSorted()).toEqual([...webSite().files.keys()].toSorted())
    for (const [path, { source, destinations }] of Object.entries(manifest.files)) {
      expect(readFileSync(join(outdir, source.path)).equals(webSite().files.get(path) as Buffer), path).toBe(true)
      expect(destinations.bucket.bucketName).toBe('octomil-web-dev-$' + '{AWS::AccountId}-$' + '{AWS::Region}')
      expect(destinations.bucket.assumeRoleArn).toContain('file-publishing-role')
    }
  })

  test('never overwrites a key: each key contains the digest of its object', () => {
    const keys = Object.values(manifest.files).map(({ destinations }) => destinations.bucket.objectKey)
    for (const key of keys) expect(key).toMatch(/^(assets\/[\w-]+-[0-9a-f]{16}\.\w+|pages\/[0-9a-f]{16}\/.+)$/)
    const pages = keys.filter((key) => key.startsWith('pages/'))
    const { Origins } = configOf('AWS::CloudFront::Distribution')
    const paths = Origins.map(({ OriginPath }) => OriginPath).filter(Boolean)
    expect(paths).toEqual([`/pages/${webSite().version}`])
    for (const key of pages) expect(`/${key}`.startsWith(`${paths[0]}/`)).toBe(true)
  })

  test('has the script that the reference function names, with its digest', () => {
    const meta = resourcesOf([app.get(stackName('dev', 'Functions')) as Template])
    const withScript = ofType(meta, 'AWS::Lambda::Function').filter(
      ({ Properties }) => 'REFERENCE_SCRIPT_URL' in Properties.Environment.Variables,
    )
    expect(withScript.map(({ Properties }) => Properties.Description)).toEqual([expect.stringMatching(/^meta\.docs: /)])
    const { REFERENCE_SCRIPT_URL: url, REFERENCE_SCRIPT_INTEGRITY: integrity } =
      withScript[0]?.Properties.Environment.Variables ?? {}
    const { path } = webSite().reference
    expect(JSON.stringify(url)).toContain(`/${path}"`)
    const script = webSite().files.get(path) as Buffer
    expect(integrity).toBe(`sha384-${createHash('sha384').update(script).digest('base64')}`)
  })
})
