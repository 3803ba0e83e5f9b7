/**
 * That the deployed sealer chains and signs what the suite has changed, under its own role, and that `npm run seal` carries
 * over the events of an earlier version, twice with the effect of once.
 */
import { strict as assert } from 'node:assert'
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb'
import { outputNames, stackName } from '../../lib/stage.ts'
import { clientOf as apiClientOf, type Target } from '../http/target.ts'
import { formerChain } from '../support/former-chain.ts'
import { command } from './command.ts'
import { clientOf, type Emulator } from './emulator.ts'

const giveUpMs = 60_000
const formerEvents = 24

export async function proveSealing(emulator: Emulator, stage: string, target: Target): Promise<void> {
  for (const { org_id, api_keys } of target.orgs) {
    const client = apiClientOf(target, api_keys.full_admin)
    await until(`${org_id} is sealed`, async () => {
      const { data } = await client.GET('/api/v2/settings/audit-events/verify')
      return data.unsealed.count === 0 && data.head !== null
    })
    const { data } = await client.GET('/api/v2/settings/audit-events/checkpoints')
    assert.ok(data.data.length > 0, `${org_id} has no checkpoint`)
  }
  const [org] = target.orgs
  assert.ok(org)
  await putFormerChain(emulator, stage, org.org_id)
  const run = () => command(emulator, 'seal', ['--stage', stage])
  const first = await run()
  assert.match(first.stdout, new RegExp(`${org.org_id}: ${formerEvents} events carried over`), first.stderr)
  const second = await run()
  assert.deepEqual([second.code, second.stdout.trim()], [0, 'Every event is sealed.'], second.stderr)
}

async function putFormerChain(emulator: Emulator, stage: string, orgId: string): Promise<void> {
  const { Stacks = [] } = await clientOf(CloudFormationClient, emulator).send(
    new DescribeStacksCommand({ StackName: stackName(stage, 'Storage') }),
  )
  const table = Stacks[0]?.Outputs?.find(({ OutputKey }) => OutputKey === outputNames.tableName)?.OutputValue ?? ''
  const { events, head } = formerChain(orgId, formerEvents, new Date(Date.now() - 86_400_000))
  const rows = DynamoDBDocumentClient.from(clientOf(DynamoDBClient, emulator))
  const puts = [...events, head].map((Item) => ({ PutRequest: { Item } }))
  await rows.send(new BatchWriteCommand({ RequestItems: { [table]: puts } }))
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const giveUp = Date.now() + giveUpMs
  while (!(await isSo())) {
    if (Date.now() > giveUp) throw new Error(`${what}: not within ${giveUpMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}
