/**
 * The private bucket of the web site, in a separate stack: the CDK CLI publishes the site before it deploys the Web stack
 * (`site-synthesizer.ts`), so the bucket must exist by then, under a name known at synth.
 */
import { ArnFormat, Aws, CfnOutput, Fn, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { ArnPrincipal, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import { publishingRoleArn } from './site-synthesizer.ts'
import { type StageSettings, stackName } from './stage.ts'
import { webBucketOutput } from './web-outputs.ts'

/** At most 60 characters; S3 allows 63. */
export const webBucketName = (stage: string, account: string, region: string): string =>
  `octomil-web-${stage}-${account}-${region}`

export class WebBucketStack extends Stack {
  constructor(scope: Construct, { stage, retainData }: StageSettings) {
    super(scope, stackName(stage, 'WebBucket'), { terminationProtection: retainData })
    const bucket = new Bucket(this, 'Bucket', {
      bucketName: webBucketName(stage, Aws.ACCOUNT_ID, Aws.REGION),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Every file can be rebuilt from the sources. `npm run destroy` empties the bucket first.
      removalPolicy: RemovalPolicy.DESTROY,
    })
    for (const statement of [...this.#publishing(bucket), this.#reading(bucket)]) bucket.addToResourcePolicy(statement)
    new CfnOutput(this, webBucketOutput, { value: bucket.bucketName })
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Only CloudFront and the publishing role have access, and every file is public: a log adds nothing.',
    })
  }

  /** Actions of the CDK CLI to publish a file, with the account's publishing role. */
  #publishing(bucket: Bucket): PolicyStatement[] {
    const principals = [new ArnPrincipal(Fn.sub(publishingRoleArn(this)))]
    return [
      new PolicyStatement({
        sid: 'FindPublished',
        principals,
        actions: ['s3:GetBucketLocation', 's3:GetEncryptionConfiguration', 's3:ListBucket'],
        resources: [bucket.bucketArn],
      }),
      new PolicyStatement({
        sid: 'Publish',
        principals,
        actions: ['s3:PutObject', 's3:AbortMultipartUpload'],
        resources: [bucket.arnForObjects('*')],
      }),
    ]
  }

  /** Any distribution of the account: the Web stack's distribution is created after this bucket. */
  #reading(bucket: Bucket): PolicyStatement {
    const distributions = this.formatArn({
      service: 'cloudfront',
      region: '',
      resource: 'distribution',
      resourceName: '*',
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    })
    return new PolicyStatement({
      sid: 'ReadByCloudFront',
      principals: [new ServicePrincipal('cloudfront.amazonaws.com')],
      actions: ['s3:GetObject'],
      resources: [bucket.arnForObjects('*')],
      conditions: { ArnLike: { 'aws:SourceArn': distributions } },
    })
  }
}
