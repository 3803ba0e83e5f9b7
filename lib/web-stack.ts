/**
 * The web distribution: the script of the API reference, and pages. It depends only on its bucket, so the functions may
 * depend on it. docs/adr/0013-web.md explains why the API answers the reference page.
 */
import { Annotations, Aws, CfnOutput, Duration, Stack, Validations } from 'aws-cdk-lib'
import {
  type BehaviorOptions,
  CachePolicy,
  Distribution,
  type ErrorResponse,
  HttpVersion,
  PriceClass,
  ResponseHeadersPolicy,
  type ResponseHeadersPolicyProps,
  S3OriginAccessControl,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront'
import { S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import { Bucket, type IBucket } from 'aws-cdk-lib/aws-s3'
import { EnvironmentPlaceholders } from 'aws-cdk-lib/cx-api'
import type { Construct } from 'constructs'
import type { ReferenceScript } from '../shared/http/reference-page.ts'
import { pascalCase } from './pascal-case.ts'
import { siteSynthesizer } from './site-synthesizer.ts'
import { type StageSettings, stackName } from './stage.ts'
import { webBucketName } from './web-bucket-stack.ts'
import { assetHeaders, pageHeaders, pageMaxAge } from './web-headers.ts'
import { webUrlOutput } from './web-outputs.ts'
import { assetsFolder, notFoundPage, webSite } from './web-site.ts'

export class WebStack extends Stack {
  /** For the function of the reference page. */
  readonly referenceScript: ReferenceScript

  constructor(scope: Construct, { stage, retainData }: StageSettings, folder: string) {
    super(scope, stackName(stage, 'Web'), {
      terminationProtection: retainData,
      synthesizer: siteSynthesizer({
        folder,
        keys: siteKeys(),
        bucketName: webBucketName(
          stage,
          EnvironmentPlaceholders.CURRENT_ACCOUNT,
          EnvironmentPlaceholders.CURRENT_REGION,
        ),
      }),
    })
    const bucket = Bucket.fromBucketName(this, 'Bucket', webBucketName(stage, Aws.ACCOUNT_ID, Aws.REGION))
    const distribution = this.#distribution(stage, bucket)
    acknowledge(distribution)
    const url = `https://${distribution.distributionDomainName}`
    new CfnOutput(this, webUrlOutput, { value: url })
    const { path, integrity } = webSite().reference
    this.referenceScript = { url: `${url}/${path}`, integrity }
  }

  #distribution(stage: string, bucket: IBucket): Distribution {
    const originAccessControl = new S3OriginAccessControl(this, 'OriginAccess', {
      originAccessControlName: globalName(stage, 'bucket'),
    })
    const originOf = (originPath?: string) =>
      S3BucketOrigin.withOriginAccessControl(bucket, { originAccessControl, ...(originPath ? { originPath } : {}) })
    return new Distribution(this, 'Distribution', {
      comment: `Octomil settings, stage ${stage}`,
      priceClass: PriceClass.PRICE_CLASS_100,
      httpVersion: HttpVersion.HTTP2_AND_3,
      defaultBehavior: {
        ...common,
        origin: originOf(`/${pagesFolder()}`),
        cachePolicy: pagesCache(this),
        responseHeadersPolicy: this.#headers(stage, 'pages', pageHeaders),
      },
      additionalBehaviors: {
        [`${assetsFolder}*`]: {
          ...common,
          origin: originOf(),
          cachePolicy: CachePolicy.CACHING_OPTIMIZED,
          responseHeadersPolicy: this.#headers(stage, 'assets', assetHeaders),
        },
      },
      errorResponses,
    })
  }

  #headers(stage: string, part: string, props: ResponseHeadersPolicyProps): ResponseHeadersPolicy {
    return new ResponseHeadersPolicy(this, `${pascalCase(part)}Headers`, {
      ...props,
      responseHeadersPolicyName: globalName(stage, part),
    })
  }
}

const pagesCache = (scope: Construct): CachePolicy =>
  new CachePolicy(scope, 'PagesCache', {
    comment: 'Pages, which a deploy replaces',
    // With 0, CloudFront caches no compressed object.
    minTtl: Duration.seconds(1),
    defaultTtl: pageMaxAge,
    maxTtl: pageMaxAge,
    enableAcceptEncodingBrotli: true,
    enableAcceptEncodingGzip: true,
  })

/** For a missing file, S3 answers 403 to a reader who may not list the bucket. */
const errorResponses: ErrorResponse[] = [403, 404].map((httpStatus) => ({
  httpStatus,
  responseHttpStatus: 404,
  responsePagePath: `/${notFoundPage}`,
  ttl: Duration.seconds(10),
}))

/** CloudFront's names are per account, not per region. */
const globalName = (stage: string, part: string): string => `octomil-web-${stage}-${Aws.REGION}-${part}`

const common: Pick<BehaviorOptions, 'compress' | 'viewerProtocolPolicy'> = {
  compress: true,
  viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
}

/** Pages are stored under their digest. Changing the origin path switches all pages at once, and back. */
const pagesFolder = (): string => `pages/${webSite().version}`

/** The key of each file in the bucket. Keys are never overwritten, and old ones remain for a roll-back. */
const siteKeys = (): Record<string, string> =>
  Object.fromEntries(
    [...webSite().files.keys()].map((path) => [
      path,
      path.startsWith(assetsFolder) ? path : `${pagesFolder()}/${path}`,
    ]),
  )

function acknowledge(distribution: Distribution): void {
  // The bucket's stack allows CloudFront to read.
  Annotations.of(distribution).acknowledgeWarning('@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac')
  const reasons = {
    'AwsSolutions-CFR1': 'The reference is public everywhere, as the API is.',
    'AwsSolutions-CFR2': 'It serves public, cached files and takes no input, so a web ACL has nothing to filter.',
    'AwsSolutions-CFR3': 'No access log: it would store addresses of readers. Metrics count the requests.',
    'AwsSolutions-CFR4': 'Under cloudfront.net, CloudFront always sets its policy to TLSv1; HTTPS is enforced.',
  }
  for (const [id, reason] of Object.entries(reasons)) Validations.of(distribution).acknowledge({ id, reason })
}
