/** Child process: the sealer of audit events, which reads the stream of the bench's table. */
import { backgroundFunctions } from '../functions/background.ts'
import { runBackground } from '../local/background.ts'
import { playStream } from '../local/table-stream.ts'
import type { BatchResult } from '../shared/runtime/table-stream.ts'

playStream({
  endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB ?? '',
  tableName: process.env.TABLE_NAME ?? '',
  readers: [
    {
      ...backgroundFunctions['audit-events/seal'].trigger.tableStream,
      read: async (Records) => (await runBackground('audit-events/seal', { Records })) as BatchResult,
    },
  ],
})
// The parent waits for a message of each child.
process.send?.({ port: 0 })
process.once('disconnect', () => process.exit())
