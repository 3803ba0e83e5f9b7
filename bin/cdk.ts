/** Runs the CDK CLI of this repository, with its output on the terminal. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { UsageError } from './usage.ts'

const root = join(import.meta.dirname, '..')

/** @throws UsageError if the CLI fails; its output gives the reason */
export function cdk(commandArguments: readonly string[]): Promise<void> {
  const binary = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk')
  const child = spawn(process.execPath, [binary, ...commandArguments], { cwd: root, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0) return resolve()
      reject(new UsageError(`cdk ${commandArguments[0]} ended with ${signal ?? code}; see its output above.`))
    })
  })
}
