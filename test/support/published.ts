/** Holds answers of the published face against the platform's records, which are closed. */
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { expect } from 'vitest'
import { publishedSchemas } from '../../docs/published/schemas.ts'
import type { Published } from '../../shared/http/published.ts'

const ajv = new Ajv({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema({ $id: 'published', components: { schemas: publishedSchemas } })

/** @throws AssertionError for a value that is not the record, or holds a member that the record does not have */
export function expectRecord(name: string, value: unknown): void {
  const validate = ajv.getSchema(`published#/components/schemas/${name}`)
  if (!validate) throw new Error(`the platform publishes no record ${name}`)
  validate(value)
  const faults = validate.errors?.map(({ instancePath, message, params }) => [instancePath, message, params])
  expect(faults ?? [], `${name}: ${JSON.stringify(value)}`).toEqual([])
}

/** The answer of a published operation: its record, an array of them, an error, or nothing. */
export function expectPublished({ id, records }: Published, status: number, body: unknown): void {
  // A document about the records is none of them.
  if (body === undefined || id === 'meta.openapi') return
  if (status >= 400) expectRecord('ErrorEnvelope', body)
  else if (records.list) {
    expect(Array.isArray(body), `${id} answers an array`).toBe(true)
    for (const entry of body as unknown[]) expectRecord(records.list, entry)
  } else if (records.answer) expectRecord(records.answer, body)
  else expect(body, `${id} answers no record`).toBeUndefined()
}
