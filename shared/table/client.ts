/** The client of the table. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { awsClientSettings } from '../runtime/aws-client.ts'
import { requiredEnvironment } from '../runtime/environment.ts'

let shared: DynamoDBDocumentClient | undefined

/** The client, made on first use. */
export function table(): DynamoDBDocumentClient {
  shared ??= connect()
  return shared
}

function connect(): DynamoDBDocumentClient {
  const client = DynamoDBDocumentClient.from(new DynamoDBClient(awsClientSettings), {
    // The SDK takes an object with a field named `constructor` for a class instance; stored headers can have that field.
    marshallOptions: { removeUndefinedValues: true, convertClassInstanceToMap: true },
  })
  // This middleware walks every input and output for a log line that is never written: 10 % of the CPU time of a list.
  client.middlewareStack.remove('loggerMiddleware')
  return client
}

export const tableName = (): string => requiredEnvironment('tableName')
