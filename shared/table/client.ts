/** The client of the table. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { lazy } from '../lazy.ts'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'
import { Sha256 } from '../runtime/sha256.ts'
import { makeLean } from './lean-client.ts'

/** The client in DynamoDB's own terms, for the calls of every request. Made on first use. */
export const wireTable = lazy(() => {
  const client = new DynamoDBClient({ ...awsClientSettings, sha256: Sha256 })
  makeLean(client)
  return client
})

/** The same client for documents. */
export const table = lazy(() =>
  DynamoDBDocumentClient.from(wireTable(), {
    // The SDK takes an object with a field named `constructor` for a class instance; stored headers can have that field.
    marshallOptions: { removeUndefinedValues: true, convertClassInstanceToMap: true },
  }),
)

export const tableName = (): string => requiredEnvironment('tableName')
