/** The local queue keeps its messages, also over the death of its process. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createSqs, deliveryQueueUrl, type SqsRecord, sqsPath } from '../../local/sqs.ts'

test('a message that waits is there after a restart, although nothing closed the queue', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'queue-'))
  const file = join(folder, 'queues.json')
  const failing = async ([record]: SqsRecord[]) => ({
    batchItemFailures: [{ itemIdentifier: record?.messageId ?? '' }],
  })
  const killed = createSqs({ receive: failing, file })
  const server = createServer((request, response) => void killed.handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(async () => {
    await killed.close()
    server.close()
    rmSync(folder, { recursive: true })
  })

  const client = new SQSClient({ endpoint: url + sqsPath })
  await client.send(new SendMessageCommand({ QueueUrl: deliveryQueueUrl(url), MessageBody: 'a delivery' }))
  client.destroy()

  await vi.waitFor(() => expect(readFileSync(file, 'utf8')).toContain('a delivery'), 5000)
  const next = createSqs({ receive: failing, file, pollEveryMs: 60_000 })
  onTestFinished(() => next.close())
  expect(next.messagesIn('deliveries')).toEqual(['a delivery'])
})
