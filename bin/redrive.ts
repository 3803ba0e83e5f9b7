/**
 * `npm run redrive`: lists the dead letters of a deployed stage with the caller's AWS credentials, and replays them. Repeated
 * replays have one effect. A letter that is not accepted stays in its queue, and the exit code is 1.
 */
import { parseArgs } from 'node:util'
import { outputNames, stackName } from '../lib/stage.ts'
import { outputsOf, requireStage, runCommand, UsageError } from './command.ts'
import { isConfirmed } from './confirm.ts'
import { type DeadLetter, giveBack, type QueueName, queueNames, replay, takeDeadLetters } from './dead-letters.ts'

const usage = `Usage: npm run redrive -- --stage dev [--queue project] [--list | --yes]

  --stage  the deployed stage (default dev)
  --queue  one of ${queueNames.join(', ')}: events that could not be projected, sweeps that failed,
           deliveries to integrations that failed (default: all)
  --list   list the dead letters, and change nothing
  --yes    replay without asking

Exit code 0: every letter was replayed. Otherwise 1.`

interface Stage {
  busName: string
  queueUrls: Record<QueueName, string>
  deliveryQueueUrl: string
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      stage: { type: 'string', default: 'dev' },
      queue: { type: 'string' },
      list: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
    },
  })
  const queues = queueNames.filter((name) => values.queue === undefined || values.queue === name)
  if (queues.length === 0) throw new UsageError(`--queue must be one of ${queueNames.join(', ')}.`)
  if (values.list && values.yes) throw new UsageError('--list and --yes exclude each other.')
  const stage = await findStage(requireStage(values.stage))
  for (const queue of queues) {
    const queueUrl = stage.queueUrls[queue]
    const letters = await takeDeadLetters(queueUrl)
    print(queue, letters)
    const isWanted = letters.length > 0 && !values.list && (values.yes || (await isWantedBy(letters.length)))
    const left = isWanted ? await replayAll(letters, queue, stage) : letters
    await giveBack(queueUrl, left)
  }
}

async function replayAll(letters: DeadLetter[], queue: QueueName, stage: Stage): Promise<DeadLetter[]> {
  const left = await replay(letters, {
    ...stage,
    ...{ queue, queueUrl: stage.queueUrls[queue] },
  })
  console.log(`${queue}: ${letters.length - left.length} replayed, ${left.length} left in the queue`)
  if (left.length > 0) process.exitCode = 1
  return left
}

function print(queue: QueueName, letters: readonly DeadLetter[]): void {
  console.log(`${queue}: ${letters.length} dead letters`)
  for (const { buriedAt, what, attempts, why } of letters) {
    console.log(`  ${buriedAt}  ${what}  ${attempts} attempts  ${why}`)
  }
}

/** Without a terminal there is no confirmation, so nothing is replayed. */
async function isWantedBy(count: number): Promise<boolean> {
  if (process.stdin.isTTY) return isConfirmed(`Replay ${count === 1 ? 'it' : `these ${count}`}? [y/N] `, 'y', '--yes')
  console.error('Nothing was replayed: use --yes to replay, or --list to list.')
  process.exitCode = 1
  return false
}

async function findStage(stage: string): Promise<Stage> {
  const outputs = await outputsOf(stage, 'Events')
  const busName = outputs?.[outputNames.eventBusName]
  const project = outputs?.[outputNames.projectDeadLettersUrl]
  const sweep = outputs?.[outputNames.sweepDeadLettersUrl]
  const ofDelivery = await outputsOf(stage, 'Delivery')
  const deliveries = ofDelivery?.[outputNames.deliveryDeadLettersUrl]
  const deliveryQueueUrl = ofDelivery?.[outputNames.deliveryQueueUrl]
  if (busName && project && sweep && deliveries && deliveryQueueUrl)
    return { busName, queueUrls: { project, sweep, deliveries }, deliveryQueueUrl }
  throw new UsageError(
    `The stack ${stackName(stage, busName ? 'Delivery' : 'Events')} is not deployed here, or is older than this command: npm run deploy -- --stage ${stage}`,
  )
}

runCommand(main, usage)
