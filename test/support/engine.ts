/** One real DynamoDB engine for the whole run; each test file has a separate table in it. */
import { startEngine } from '../../local/engine.ts'

export default async function startSharedEngine(): Promise<() => Promise<void>> {
  const engine = await startEngine()
  process.env.DYNAMODB_ENDPOINT = engine.endpoint
  return engine.stop
}
