/**
 * cdk-nag's AwsSolutions over every stack of every kind of stage. What it finds is mended, or acknowledged in `lib/`
 * beside the resource with a reason. It runs here, because it would slow every synth.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack, Validations } from 'aws-cdk-lib'
import { Bucket } from 'aws-cdk-lib/aws-s3'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { IConstruct } from 'constructs'
import { describe, expect, test } from 'vitest'
import cdkJson from '../../cdk.json' with { type: 'json' }
import { addStacks } from '../../lib/app.ts'
import { readStageSettings } from '../../lib/stage.ts'
import { everyKindOfStage } from './stages.ts'

const appOf = (context: Record<string, string>): App => {
  const app = new App({
    outdir: mkdtempSync(join(tmpdir(), 'octomil-nag-')),
    context: { ...cdkJson.context, ...context },
  })
  addStacks(
    app,
    readStageSettings((name) => context[name]),
  )
  return app
}

/** The findings in a tree, as `rule path`. */
function findings(scope: IConstruct, checks = new AwsSolutionsChecks()): string[] {
  return checks
    .validateScope(scope)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
    )
}

/** What would be found if nothing were acknowledged. */
function allFindings(scope: IConstruct): string[] {
  const checks = new AwsSolutionsChecks()
  Object.assign(checks, { isAcknowledged: () => false })
  return findings(scope, checks)
}

interface Acknowledged {
  rule: string
  path: string
  reason: string
}

const acknowledgedIn = (scope: IConstruct): Acknowledged[] =>
  scope.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.entries(data as Record<string, string>))
      .map(([rule, reason]) => ({ rule: rule.replace(/^annotation::/i, ''), path: node.path, reason })),
  )

describe.each(everyKindOfStage)('AwsSolutions over $kind', ({ context }) => {
  const app = appOf(context)

  test('finds nothing that is not acknowledged', () => {
    expect(findings(app)).toEqual([])
  })

  test('every acknowledgement has its reason, and a finding that it answers', () => {
    const found = allFindings(app)
    const acknowledged = acknowledgedIn(app)
    expect(acknowledged).not.toEqual([])
    for (const { rule, path, reason } of acknowledged) {
      expect(reason.length, `${rule} ${path}`).toBeGreaterThan(40)
      const answered = found.filter((finding) => `${finding}/`.startsWith(`${rule} ${path}/`))
      expect(answered, `${rule} ${path} answers no finding`).not.toEqual([])
    }
  })
})

test('a resource that breaks a rule is found', () => {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'octomil-nag-')) })
  new Bucket(new Stack(app, 'Careless'), 'Bucket')
  expect(findings(app)).toContain('AwsSolutions-S10 Careless/Bucket/Resource')
})
