/** cfn-lint over the templates as the CDK CLI writes them: no errors and no warnings, exceptions with their reason. */
import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bareStage, fullStage } from '../lib/stages.ts'
import { localFolder } from '../python.ts'

const root = join(import.meta.dirname, '..', '..')
const linter = join(localFolder, 'emulator', 'bin', 'cfn-lint')

const exceptions = {
  // CDK writes that a function depends on its role, and a stage on its domain, where a reference says so already.
  W3005: 'a dependency that is said twice',
}

/** @throws an error that lists the findings */
export async function lintTemplates(folder: string): Promise<void> {
  const folders = await Promise.all(
    // Of a stage that has a file: a protected one without is refused.
    Object.entries({ bareStage, fullStage: { ...fullStage, stage: 'dev', posture: 'protected' } }).map(
      ([name, context]) => synthesize(join(folder, name), context),
    ),
  )
  const templates = folders.flatMap((synthesized) => globSync(join(synthesized, '*.template.json')))
  const ignored = Object.keys(exceptions).flatMap((rule) => ['--ignore-checks', rule])
  try {
    await promisify(execFile)(linter, ['--format', 'parseable', ...ignored, '--', ...templates], { cwd: root })
  } catch (error) {
    throw new Error(`cfn-lint: ${error instanceof Error && 'stdout' in error ? error.stdout : error}`)
  }
  console.log(`${templates.length} templates are clean but for ${JSON.stringify(exceptions)}`)
}

async function synthesize(output: string, context: Record<string, string>): Promise<string> {
  const named = Object.entries(context).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const cdk = join(root, 'node_modules', '.bin', 'cdk')
  await promisify(execFile)(process.execPath, [cdk, 'synth', '--quiet', '--output', output, ...named], { cwd: root })
  return output
}
