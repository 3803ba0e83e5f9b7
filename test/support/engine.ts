/** One real DynamoDB engine for the whole run; each test file has a separate table in it. */
import { join } from 'node:path'
import { startEngine } from '../../local/engine.ts'

export default async function startSharedEngine(): Promise<() => Promise<void>> {
  // Compiling is half of the CPU time of each process that a test starts.
  process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, '../../node_modules/.cache/compiled')
  const engine = await startEngine()
  process.env.DYNAMODB_ENDPOINT = engine.endpoint
  return engine.stop
}
