/**
 * That dead letters of the deployed stage come back: the same event is buried as a rule buries it and as Lambda does, the
 * command replays both, and the deployed projector does it once.
 */
import { strict as assert } from 'node:assert'
import { randomUUID } from 'node:crypto'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { stripeSecretKey } from '@octomil/local-stripe'
import { outputNames, stackName } from '../../lib/stage.ts'
import { clientOf, type Emulator } from './emulator.ts'

interface Deployment {
  emulator: Emulator
  stage: string
  stripeUrl: string
  /** Runs `npm run redrive` with these options and returns its output. */
  redrive(options: readonly string[]): Promise<string>
  /** The lines that functions have logged with this message. */
  logged(message: string): Promise<string[]>
}

const giveUpMs = 60_000

export async function proveRedrive({ emulator, stage, stripeUrl, redrive, logged }: Deployment): Promise<void> {
  const { project, sweep } = await queuesOf(emulator, stage)
  const event = await eventOfKnownCustomer(stripeUrl)
  const envelope = { version: '0', source: 'octomil.stripe', 'detail-type': event.type, detail: event }
  // The emulator's logs are searched by words, so that one message is found for another that holds all of its words.
  const isTold = (line: string, message: string) => line.includes(`"message":"${message}"`) && line.includes(event.id)
  const seen = async (message: string) => (await logged(message)).filter((line) => isTold(line, message)).length
  const options = ['--stage', stage, '--queue', 'project']

  await send(emulator, project, envelope)
  assert.match(await redrive([...options, '--list']), new RegExp(`project: 1 dead letters\n.*${event.id}`))
  assert.match(await redrive([...options, '--yes']), /1 replayed, 0 left/)
  await until('the replayed event is projected', async () => (await seen('Stripe event projected')) === 1)

  const requestContext = { condition: 'RetriesExhausted', approximateInvokeCount: 3 }
  await send(emulator, project, { version: '1.0', requestContext, requestPayload: envelope })
  assert.match(await redrive([...options, '--yes']), /1 replayed, 0 left/)
  await until('it is known the second time', async () => (await seen('Stripe event was projected before')) === 1)
  assert.equal(await seen('Stripe event projected'), 1)

  await send(emulator, sweep, { source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} })
  assert.match(await redrive(['--stage', stage, '--yes']), /sweep: 1 replayed, 0 left/)
  assert.match(await redrive(['--stage', stage, '--list']), /project: 0 dead letters\nsweep: 0 dead letters/)
}

async function queuesOf(emulator: Emulator, stage: string): Promise<{ project: string; sweep: string }> {
  const client = clientOf(CloudFormationClient, emulator)
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName(stage, 'Events') }))
  const output = (name: string) => Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === name)?.OutputValue ?? ''
  return { project: output(outputNames.projectDeadLettersUrl), sweep: output(outputNames.sweepDeadLettersUrl) }
}

/** An event for a customer of the suite, without further data: it only causes a sync. */
async function eventOfKnownCustomer(stripeUrl: string) {
  const answer = await fetch(`${stripeUrl}/v1/subscriptions?limit=1&status=all`, {
    headers: { authorization: `Bearer ${stripeSecretKey}` },
  })
  const { data } = (await answer.json()) as { data: { customer: string }[] }
  assert.ok(data[0], 'the suite has left no customer')
  return {
    id: `evt_${randomUUID().replaceAll('-', '')}`,
    object: 'event',
    type: 'customer.subscription.updated',
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    data: { object: { object: 'subscription', customer: data[0].customer } },
  }
}

async function send(emulator: Emulator, QueueUrl: string, body: object): Promise<void> {
  await clientOf(SQSClient, emulator).send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body) }))
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const giveUp = Date.now() + giveUpMs; Date.now() < giveUp; ) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  throw new Error(`not seen within ${giveUpMs / 1000} s: ${what}`)
}
