import { cloudPolicy } from '../../shared/cloud-policy/entity.ts'
import { toCloudTarget } from '../../shared/execution/cloud-target.ts'
import { routing } from '../../shared/execution/routing.ts'
import { readCloudRecords, readLocalTargets } from '../../shared/execution/targets.ts'
import { resource } from '../../shared/http/answer.ts'
import { serve } from '../../shared/http/serve.ts'
import { readDocument } from '../../shared/storage/document.ts'
import { getExecution } from './contract.ts'

/** The settings that decide where inference runs. */
export const handler = serve(getExecution, async ({ caller: { orgId } }) => {
  const [local_targets, cloud, policy, { value }] = await Promise.all([
    readLocalTargets(orgId),
    readCloudRecords(orgId),
    readDocument(cloudPolicy, orgId),
    readDocument(routing, orgId),
  ])
  const cloud_targets = cloud.map((record) => toCloudTarget(record, policy.value))
  return resource({ local_targets, cloud_targets, routing: value })
})
