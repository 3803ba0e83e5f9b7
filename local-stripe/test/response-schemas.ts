/** Stripe's published response schemas as validators: strict both ways, so that a field too many is a finding as well. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ErrorObject } from 'ajv'

type Schema = Record<string, unknown>

interface Description {
  info: { version: string }
  components: { schemas: Record<string, Schema> }
}

const description = JSON.parse(readFileSync(join(import.meta.dirname, 'response-schemas.json'), 'utf8')) as Description

export const publishedVersion = description.info.version

const ajv = new Ajv({ allErrors: true, strict: false })
for (const format of ['unix-time', 'decimal', 'currency']) ajv.addFormat(format, true)
ajv.addSchema({ $id: 'stripe', ...translate({ components: description.components }) })

/**
 * OpenAPI's `nullable` as JSON Schema; and an object that lists its properties has no others, where it is one by itself
 * and not an alternative that extends another.
 */
function translate(node: object): Schema {
  const { nullable, ...schema } = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [name, translateValue(value)]),
  )
  const closed =
    schema.type === 'object' && schema.properties && schema.additionalProperties === undefined
      ? { ...schema, additionalProperties: false }
      : schema
  return nullable === true ? { anyOf: [closed, { type: 'null' }] } : closed
}

function translateValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(translateValue)
  return typeof value === 'object' && value !== null ? translate(value) : value
}

/** Differences between an object and the schema of its kind, such as `/items/data/* has plan`; `*` replaces positions. */
export function findings(kind: string, object: unknown): string[] {
  const validate = ajv.getSchema(`stripe#/components/schemas/${kind}`)
  if (!validate) throw new Error(`there is no schema for ${kind}`)
  if (validate(object)) return []
  // The failures of single alternatives say the same as that none of them fits.
  const errors = (validate.errors ?? []).filter(({ schemaPath }) => !/\/anyOf\/\d+\//.test(schemaPath))
  return [...new Set((errors.length > 0 ? errors : (validate.errors ?? [])).map(describe))].sort()
}

function describe({ instancePath, keyword, params, message }: ErrorObject): string {
  const path = instancePath.replaceAll(/\/\d+(?=\/|$)/g, '/*')
  return keyword === 'additionalProperties' ? `${path} has ${params.additionalProperty}` : `${path} ${message}`
}
