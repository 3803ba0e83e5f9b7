import { cloudPolicy } from '../../shared/cloud-policy/entity.ts'
import { requireCoherent } from '../../shared/cloud-policy/record.ts'
import { asStored, serveDocumentPatch } from '../../shared/http/serve-documents.ts'
import { updateCloudPolicy } from './contract.ts'

/** Applies a patch to the cloud policy. Refuses a patch whose result is incoherent. */
export const handler = serveDocumentPatch(updateCloudPolicy, cloudPolicy, asStored, requireCoherent)
