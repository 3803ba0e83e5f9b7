import { cloudPolicy } from '../../shared/cloud-policy/entity.ts'
import { asStored, serveDocument } from '../../shared/http/serve-documents.ts'
import { getCloudPolicy } from './contract.ts'

/** Reads the cloud policy. */
export const handler = serveDocument(getCloudPolicy, cloudPolicy, asStored)
