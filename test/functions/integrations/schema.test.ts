/** The published document says of each type what the service does with it. */
import { beforeAll, describe, expect, test } from 'vitest'
import type * as z from 'zod'
import { type OperationName, operations } from '../../../functions/operations.ts'
import { type IntegrationSpec, integrationTypes } from '../../../shared/integrations/types.ts'
import { dereferencedPaths } from '../../support/dereferenced.ts'
import { categories, fullConfigs, integrationsOf, makeOrgOn, type Type, types } from '../../support/integrations.ts'

interface Schema {
  type?: string | string[]
  const?: string
  enum?: string[]
  pattern?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  $ref?: string
  minLength?: number
  maxLength?: number
}

const collection = dereferencedPaths['/api/v2/settings/integrations']
const single = dereferencedPaths['/api/v2/settings/integrations/{integration_id}']

const createSchema = collection.post.requestBody.content['application/json'].schema as Schema
const recordSchema = collection.post.responses['201'].content['application/json'].schema as Schema

const variantOf = (schema: Schema, type: string): Schema => {
  const matching = schema.oneOf?.filter(({ properties }) => properties?.type?.const === type) ?? []
  expect(matching, `variants of ${type}`).toHaveLength(1)
  return matching[0] ?? {}
}
const fieldsOf = (variant: Schema) => variant.properties?.config?.properties ?? {}
/** What a field may be when it is not null. */
const present = (schema: Schema = {}): Schema => {
  const [some] = schema.anyOf?.filter(({ type }) => type !== 'null') ?? [schema]
  return some ?? {}
}
const typesOf = (schema: Schema): string[] => [present(schema).type ?? []].flat().filter((type) => type !== 'null')

describe('the schema of a create', () => {
  test('is one of the nine types, selected by type, which is required', () => {
    expect(createSchema.oneOf?.map(({ properties }) => properties?.type?.const).sort()).toEqual([...types].sort())
    for (const variant of createSchema.oneOf ?? []) {
      expect(variant.required?.toSorted()).toEqual(['name', 'type'])
      expect(variant.additionalProperties).toBe(false)
      expect(Object.keys(variant.properties ?? {}).sort()).toEqual([
        ...['config', 'event_types', 'include_denied', 'name'],
        ...['notify_on_approval', 'notify_on_deploy', 'notify_on_incident', 'type'],
      ])
    }
  })

  test.each(types)('has each field of %s, described, and no other', (type) => {
    const config = variantOf(createSchema, type).properties?.config
    expect(Object.keys(config?.properties ?? {}).sort()).toEqual(Object.keys(fullConfigs[type]).sort())
    expect(Object.keys(config?.properties ?? {})).toEqual(Object.keys(integrationTypes[type].fields))
    expect(config?.additionalProperties).toBe(false)
    expect(config?.required).toBeUndefined()
    for (const { description } of Object.values(config?.properties ?? {})) expect(description).toMatch(/\S/)
  })

  test.each([
    ['pagerduty', 'region', ['us', 'eu']],
    ['pagerduty', 'severity', ['critical', 'error', 'warning', 'info']],
    ['opsgenie', 'region', ['us', 'eu']],
    ['opsgenie', 'priority', ['P1', 'P2', 'P3', 'P4', 'P5']],
    ['opentelemetry', 'protocol', ['grpc', 'http/protobuf', 'http/json']],
  ] as const)('names the values of %s %s', (type, field, values) => {
    expect(present(fieldsOf(variantOf(createSchema, type))[field]).enum).toEqual(values)
  })

  test.each([
    ['pagerduty', 'routing_key', fullConfigs.pagerduty.routing_key, 'short'],
    ['datadog', 'api_key', fullConfigs.datadog.api_key, 'g'.repeat(32)],
  ] as const)('tells the shape of %s %s', (type, field, good, bad) => {
    const { pattern = '' } = present(fieldsOf(variantOf(createSchema, type))[field])
    expect(pattern).not.toBe('')
    expect(good).toMatch(new RegExp(pattern, 'u'))
    expect(bad).not.toMatch(new RegExp(pattern, 'u'))
  })
})

describe('the schema of an answer', () => {
  test.each(types)('has each field of %s, its secrets as texts of the shape of a mask', (type) => {
    const fields = fieldsOf(variantOf(recordSchema, type))
    expect(Object.keys(fields)).toEqual(Object.keys(integrationTypes[type].fields))
    for (const [name, { keeping }] of Object.entries<IntegrationSpec['fields'][string]>(
      integrationTypes[type].fields,
    )) {
      const field = fields[name] ?? {}
      if (keeping === 'plain') continue
      if (keeping === 'secret_map') {
        expect(typesOf(field), name).toEqual(['object'])
        expect(present(field).additionalProperties, name).toEqual({ type: 'string' })
        continue
      }
      expect(typesOf(field), name).toEqual(['string'])
      const { pattern, minLength, maxLength } = present(field)
      expect({ pattern, minLength, maxLength }, name).toEqual({})
    }
  })

  test('of a list holds summaries, without a configuration', () => {
    const list = collection.get.responses['200'].content['application/json'].schema as Schema
    const summary = list.properties?.data?.items ?? {}
    expect(Object.keys(summary.properties ?? {}).sort()).toEqual(
      ['id', 'type', 'category', 'name', 'enabled', 'config_valid', 'created_at', 'updated_at'].sort(),
    )
    expect(summary.properties?.type?.enum).toEqual(types)
    expect(summary.properties?.category?.enum?.toSorted()).toEqual([...new Set(Object.values(categories))].sort())
  })

  test('of a patch can be met: no part of it forbids the fields of the others', () => {
    const schema = single.patch.responses['200'].content['application/json'].schema as Schema
    const parts = schema.allOf ?? []
    const closed = parts.flatMap((part) => part.oneOf ?? [part]).filter((part) => part.additionalProperties === false)
    // A closed part meets an answer only when it names every field of it.
    for (const { properties = {} } of closed) {
      expect(Object.keys(properties)).toEqual(expect.arrayContaining(['id', 'config', 'ignored_fields']))
    }
    expect(JSON.stringify(schema)).toContain('ignored_fields')
  })
})

describe('what the service answers is what the schema says, with no field more', () => {
  let on: ReturnType<typeof integrationsOf>
  beforeAll(async () => {
    on = integrationsOf(await makeOrgOn('enterprise'))
  })
  const expectConforming = (name: OperationName, status: number, body: unknown) => {
    const schema = (operations[name].answers as Record<number, z.ZodType>)[status]
    expect(schema?.parse(body)).toEqual(body)
  }

  test.each(types)('%s, whole and empty', async (type: Type) => {
    for (const config of [fullConfigs[type], {}]) {
      const created = await on.create({ type, name: type, config })
      expectConforming('integrations/create', 201, created.body)
      const { id } = created.body
      expectConforming('integrations/get', 200, (await on.get(id)).body)
      expectConforming('integrations/update', 200, (await on.patch(id, { name: 'x', foo: 1 })).body)
      expectConforming('integrations/validate', 200, (await on.validate(id)).body)
    }
    expectConforming('integrations/list', 200, (await on.list()).body)
  })
})
