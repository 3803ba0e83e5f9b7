/** The smallest function that reads DynamoDB: the baseline of the cold imports. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb'

const client = DynamoDBDocumentClient.from(new DynamoDBClient({}))

export async function handler({ pathParameters }: { pathParameters: { id: string } }) {
  const { Item } = await client.send(
    new GetCommand({ TableName: process.env.TABLE_NAME, Key: { pk: pathParameters.id, sk: 'KEY' } }),
  )
  return { statusCode: Item ? 200 : 404, body: JSON.stringify(Item ?? null) }
}
