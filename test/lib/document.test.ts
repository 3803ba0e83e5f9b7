/** The OpenAPI documents of both faces, read by the linters that people who generate clients use. */
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectralCore, { type RulesetDefinition } from '@stoplight/spectral-core'
import { oas } from '@stoplight/spectral-rulesets'
import { describe, expect, test } from 'vitest'
import openapi from '../../docs/openapi.json' with { type: 'json' }
import published from '../../docs/published/openapi.json' with { type: 'json' }

describe.each<[string, object]>([
  ['our own face', openapi],
  ['the published face', published],
])('%s', (_face, document) => {
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
