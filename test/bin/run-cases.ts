/**
 * Runs commands, one after the other, in this one process: a start takes longer than most cases. Reads the cases as JSON from
 * stdin and prints what each one printed and its exit code. Each case evaluates the file of its command anew.
 */
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

export interface Case {
  /** The command's file, as an absolute path. */
  file: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
}

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** A refused option ends its command at once. A command that goes on has accepted it. */
const budgetMs = 10_000

const environment = { ...process.env }
const { exit } = process
const print = process.stdout.write.bind(process.stdout)

async function end({ file, args, env }: Case, index: number): Promise<Ended> {
  const ended: Ended = { code: 0, stdout: '', stderr: '' }
  const exited = Promise.withResolvers<void>()
  const collect = (stream: 'stdout' | 'stderr') => (part: string | Uint8Array) => {
    ended[stream] += part
    return true
  }
  process.argv = [process.execPath, file, ...args]
  process.env = { ...environment, ...env }
  process.stdout.write = collect('stdout')
  process.stderr.write = collect('stderr')
  process.exit = ((code = 0) => {
    ended.code = Number(code)
    exited.resolve()
  }) as typeof process.exit
  await import(`${pathToFileURL(file)}?case=${index}`)
  // The usage is printed while the file is evaluated, and nothing follows it.
  if (args.includes('-h')) return ended
  await Promise.race([exited.promise, setTimeout(budgetMs, undefined, { ref: false })])
  return ended
}

const results: Ended[] = []
for (const [index, each] of (JSON.parse(await text(process.stdin)) as Case[]).entries())
  results.push(await end(each, index))
print(JSON.stringify(results), () => exit(0))
