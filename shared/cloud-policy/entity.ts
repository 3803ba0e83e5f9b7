/** The cloud policy of an org in the table. */
import type { DocumentKind } from '../storage/document.ts'
import { type CloudPolicy, defaultCloudPolicy } from './record.ts'

export const cloudPolicy: DocumentKind<CloudPolicy> = {
  sortKey: 'CLOUDPOLICY',
  resource: 'cloud_policy',
  updated: 'cloud_policy.updated',
  defaults: defaultCloudPolicy,
}
