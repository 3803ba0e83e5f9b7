/** Fields that another field of a body requires or forbids. Handlers enforce these rules; this file adds them to the schemas. */

import { providersWithoutRoot } from '../shared/providers/providers.ts'

type Fields = Record<string, object>

interface Condition {
  /** If a body matches these schemas, */
  when: Fields
  /** it requires this field. */
  field: string
  /** All other bodies must omit the field. */
  otherwiseNot?: true
}

const ofRootless: Condition = {
  when: { provider: { enum: [...providersWithoutRoot] } },
  field: 'base_url',
  otherwiseNot: true,
}

const conditions: Readonly<Record<string, Condition>> = {
  CreateCloudConnectionRequest: ofRootless,
  CreateCloudCredentialRequest: ofRootless,
  UpdateBillingRequest: { when: { plan: { type: 'string' } }, field: 'reason' },
}

/** Adds the conditions to the bodies that have them. */
export function withConditions<T extends object>(document: T): T {
  const { components } = document as { components?: { schemas?: Record<string, object> } }
  const schemas = components?.schemas ?? {}
  for (const [name, { when, field, otherwiseNot }] of Object.entries(conditions)) {
    const schema = schemas[name]
    if (!schema || !('properties' in schema)) throw new Error(`no body is named ${name}`)
    // Linters treat each part as closed, so name every field in each part.
    const any = Object.fromEntries(Object.keys(schema.properties as Fields).map((known) => [known, {}]))
    const needs = { properties: any, required: [field] }
    Object.assign(schema, {
      if: { properties: { ...any, ...when }, required: Object.keys(when) },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: needs,
      ...(otherwiseNot ? { else: { properties: any, not: needs } } : {}),
    })
  }
  return document
}
