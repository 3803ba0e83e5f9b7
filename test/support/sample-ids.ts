/** Ids that are well formed and name nothing, by the name of the path parameter. */
import type { Operation } from '../../shared/http/operation.ts'

const ulid = '01jd3v7k3q9x5m2n8r4t6w0y1z'

const sampleIds: Readonly<Record<string, string>> = {
  key_id: `key_${ulid}`,
  connection_id: `conn_${ulid}`,
  credential_id: `cred_${ulid}`,
  target_id: `tgt_${ulid}`,
  integration_id: `int_${ulid}`,
  delivery_id: `dlv_${ulid}`,
  preset: 'gdpr',
}

/** What looks like an id to a hurried eye, and is none. */
export const malformedIds = (wellFormed: string): string[] => [
  'nope',
  ulid,
  wellFormed.toUpperCase(),
  wellFormed.slice(0, -1),
  `${wellFormed}0`,
  ` ${wellFormed}`,
  `${wellFormed}\n`,
  `aud_${ulid}`,
  wellFormed.replace(/0/g, 'u'),
  `${wellFormed.slice(0, -1)}\u0130`,
  '../api-keys',
  '*',
  '__proto__',
  'x'.repeat(5000),
]

/** Path parameters for an operation, each well formed and of nothing that exists. */
export function sampleParams(operation: Operation): Record<string, string> {
  const names = Object.keys(operation.params.shape)
  const params = Object.fromEntries(
    names.map((name) => {
      const id = sampleIds[name]
      if (!id) throw new Error(`test/support/sample-ids.ts has no id for {${name}}; add one`)
      return [name, id]
    }),
  )
  operation.params.parse(params)
  return params
}
