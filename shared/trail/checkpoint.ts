/** A checkpoint as served. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'

export const checkpointSchema = lazy(() =>
  z
    .object({
      id: z.string(),
      org_id: z.string(),
      block: z.int().min(1).meta({ description: 'Number of the signed block.' }),
      hash: z.string().meta({ description: 'Hash of that block.' }),
      at: z.iso.datetime().meta({ description: 'Time of the signature.' }),
      kid: z.string().meta({ description: 'Id of the public key, in the JWK set of `GET /api/v1/audit-key`.' }),
      signature: z.string().meta({
        description: 'ECDSA_SHA_256 over the RFC 8785 canonical JSON of `{org_id, block, hash, at}`: DER, in base64.',
      }),
    })
    .meta({ id: 'AuditCheckpoint', description: 'A signature that vouches for a block and for all blocks before it.' }),
)

export type Checkpoint = z.infer<ReturnType<typeof checkpointSchema>>
