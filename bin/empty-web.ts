/**
 * `npm run empty-web`: deletes every file of a stage's web bucket with the caller's own AWS credentials. CloudFormation deletes
 * an empty bucket only.
 */
import { parseArgs } from 'node:util'
import { DeleteObjectsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { stackName } from '../lib/stage.ts'
import { webBucketOutput } from '../lib/web-outputs.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'

const usage = `Usage: npm run empty-web -- --stage dev

  --stage  the stage whose web bucket is emptied (required)

Run it before \`cdk destroy\`. The API reference has no script until the next deploy, which publishes every file again.`

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { stage: { type: 'string' } } })
  if (values.stage === undefined) throw new UsageError('Name the stage: --stage dev.')
  const stage = requireStage(values.stage)
  const bucket = (await outputsOf(stage, 'WebBucket'))?.[webBucketOutput]
  if (!bucket) throw new UsageError(`There is no stack ${stackName(stage, 'WebBucket')} in this account and region.`)
  console.log(`${bucket}: ${await emptyBucket(new S3Client({}), bucket)} files deleted`)
}

/** Deletes all files of a bucket without versions, and answers how many there were. */
export async function emptyBucket(client: S3Client, bucket: string): Promise<number> {
  let count = 0
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    if (Contents.length === 0) continue
    const Delete = { Objects: Contents.map(({ Key }) => ({ Key })), Quiet: true }
    const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }))
    const [failed] = Errors
    if (failed) throw new Error(`${failed.Key} of ${bucket} was not deleted: ${failed.Message}`)
    count += Contents.length
  }
  return count
}

if (import.meta.main) runCommand(main, usage)
