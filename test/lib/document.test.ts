/** The OpenAPI documents of both faces, read by the linters that people who generate clients use. */
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectralCore, { type RulesetDefinition } from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import { describe, expect, test } from 'vitest'
import openapi from '../../docs/openapi.json' with { type: 'json' }
import published from '../../docs/published/openapi.json' with { type: 'json' }

interface Described {
  components: { schemas: Record<string, unknown> }
  paths: Record<string, Record<string, { responses?: Record<string, unknown> }>>
}

const gatewayStatuses = ['413', '429', '500', '503']

describe.each<[string, object]>([
  ['our own face', openapi],
  ['the published face', published],
])('%s', (_face, document) => {
  test("API Gateway's own answers stand beside the service's, on their statuses only", () => {
    const { components, paths } = document as Described
    // A response refers to the answer by itself, or through the components that it refers to.
    const mentions = (value: unknown): boolean => {
      const text = JSON.stringify(value)
      const names = [...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name = '']) => name)
      return names.some(
        (name) => name === 'GatewayAnswer' || (/^ErrorOr/.test(name) && mentions(components.schemas[name])),
      )
    }
    const responses = Object.values(paths).flatMap((methods) =>
      Object.values(methods).flatMap(({ responses = {} }) => Object.entries(responses)),
    )
    const wrong = responses.filter(([status, response]) => mentions(response) !== gatewayStatuses.includes(status))
    expect(wrong).toEqual([])
    expect(responses.filter(([status]) => gatewayStatuses.includes(status)).length).toBeGreaterThan(100)
  })

  test('Redocly finds nothing, by its strictest rules', async () => {
    const config = await createConfig({ extends: ['recommended-strict'] })
    const problems = await lintFromString({ source: JSON.stringify(document), absoluteRef: '/openapi.json', config })
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
  })

  test('Spectral finds nothing, by its rules for OpenAPI', async () => {
    const spectral = new spectralCore.Spectral()
    // Its own types do not know the rules that it publishes.
    spectral.setRuleset({ extends: [oas as RulesetDefinition], rules: {} })
    const problems = await spectral.run(document as Record<string, unknown>)
    expect(problems.map(({ code, message, path }) => [code, message, path.join('/')])).toEqual([])
  })
})
