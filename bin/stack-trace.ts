/**
 * `npm run stack-trace`: reads log lines of a deployed function, which is minified, and prints stack traces with positions in the
 * sources.
 */
import { SourceMap } from 'node:module'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { backgroundList } from '../functions/background.ts'
import { catchAll, operationList } from '../functions/operations.ts'
import { sourceMapsOf } from '../lib/bundle.ts'
import { runMain, UsageError } from './usage.ts'

const usage = `Usage: npm run -s stack-trace -- --function api-keys/create < log.txt

  --function  the function that wrote the log: a file of functions/, or the id of its operation (settings.api-keys.create)

It reads log lines or a stack trace from stdin. Check out the deployed commit first: GET /api/v1/health names it.`

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { function: { type: 'string', default: '' } } })
  const name = functionNamed(values.function)
  process.stdout.write(withSources(await text(process.stdin), sourceMapsOf(name)))
}

function functionNamed(text: string): string {
  const all: (readonly [string, { id: string }])[] = [
    ...operationList,
    ...backgroundList,
    [catchAll.name, catchAll.operation],
  ]
  const found = all.find(([name, { id }]) => name === text || id === text)
  if (found) return found[0]
  throw new UsageError(`--function must be a function like api-keys/create, not ${text || 'empty'}.`)
}

/** A position in the code of a Lambda, which is always in `/var/task`. */
const position = /(?:file:\/\/)?\/var\/task\/([\w@./-]+\.mjs):(\d+):(\d+)/g

function withSources(log: string, maps: ReturnType<typeof sourceMapsOf>): string {
  const parsed = new Map([...maps].map(([file, map]) => [file, new SourceMap(map)]))
  return (
    log
      // A trace inside a JSON line is one line.
      .replaceAll('\\n', '\n')
      .replace(position, (minified: string, file: string, line: string, column: string) => {
        const origin = parsed.get(file)?.findOrigin(Number(line), Number(column))
        if (!origin || !('fileName' in origin)) return minified
        return `${origin.fileName.replace(/^(\.\.\/)+/, '')}:${origin.lineNumber}:${origin.columnNumber}`
      })
  )
}

runMain(main, usage, () => undefined)
