/** Runs the CDK CLI of this repository, with its output on the terminal. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { CommandError } from './usage.ts'

const root = join(import.meta.dirname, '..')

/** @throws CommandError when the CLI ends with a failure; its output says why */
export function cdk(commandArguments: readonly string[]): Promise<void> {
  const binary = join(root, 'node_modules', 'aws-cdk', 'bin', 'cdk')
  const child = spawn(process.execPath, [binary, ...commandArguments], { cwd: root, stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0) return resolve()
      reject(new CommandError(`cdk ${commandArguments[0]} ended with ${signal ?? code}; its output above says why.`))
    })
  })
}
