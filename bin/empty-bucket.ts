/** Empties a bucket: CloudFormation deletes only empty buckets. */
import { DeleteObjectsCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3'

/** Deletes all files of an unversioned bucket. Returns their number. */
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
