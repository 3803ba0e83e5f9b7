/** Cold imports: what Lambda does before a function's first request. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleBare, type Code, type ColdStart, coldStart, copyHandlers } from './cold-process.ts'
import { kib, median, ms, printTable, ratio, type TableRow } from './report.ts'

const samples = 11
/** Of what is loaded at the start, and of all code of a function; Stripe's client has a place of its own. */
const sizeBudgetKib = { start: 450, all: 750 }
const ratioBudget = 1.5

interface Subject extends Code {
  starts: ColdStart[]
  /** Each import against that of the bare handler right before it. */
  toBare: number[]
  cpuToBare: number[]
}

const subject = (code: Code): Subject => ({ ...code, starts: [], toBare: [], cpuToBare: [] })

export async function measureColdImports(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const bare = subject(bundleBare(folder, 'bare handler'))
    const stock = subject(bundleBare(folder, 'bare handler, whole SDK', { alias: {} }))
    const handlers = copyHandlers(folder).map(subject)
    // In turns and in pairs, so that a slow second of the machine falls on both sides of a ratio.
    for (let sample = 0; sample < samples; sample++) {
      for (const each of [stock, ...handlers]) {
        const base = await measure(bare, folder)
        const start = await measure(each, folder)
        each.toBare.push(start.importMs / base.importMs)
        each.cpuToBare.push(start.importCpuMs / base.importCpuMs)
      }
    }
    report(bare, stock, handlers)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const env = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench', TABLE_NAME: 'bench' }

async function measure(each: Subject, cwd: string): Promise<ColdStart> {
  const start = await coldStart(each, cwd, env)
  each.starts.push(start)
  return start
}

const medianOf = ({ starts }: Subject, what: 'importMs' | 'importCpuMs' | 'processMs'): number =>
  median(starts.map((start) => start[what]))

function report(bare: Subject, stock: Subject, handlers: readonly Subject[]): void {
  const row = (each: Subject): TableRow => ({
    function: each.name,
    KiB: kib(each.startBytes),
    'later KiB': kib(each.lateBytes),
    'import ms': ms(medianOf(each, 'importMs')),
    'to bare': ratio(each === bare ? 1 : median(each.toBare), 1),
    'CPU ms': ms(medianOf(each, 'importCpuMs')),
    'CPU to bare': ratio(each === bare ? 1 : median(each.cpuToBare), 1),
    'to whole SDK': ratio(medianOf(each, 'importMs'), medianOf(stock, 'importMs')),
    'process ms': ms(medianOf(each, 'processMs')),
  })
  const verdict = (value: number, budget: number) => `${value <= budget ? 'within' : 'OVER'} the budget of ${budget}`
  const size = (bytesOf: (code: Code) => number, budget: number) => {
    const largest = Math.max(...handlers.map(bytesOf)) / 1024
    return `${largest.toFixed(0)} KiB, ${verdict(largest, budget)}`
  }
  const slowest = (ratios: 'toBare' | 'cpuToBare') => {
    const most = Math.max(...handlers.map((each) => median(each[ratios])))
    return `${most.toFixed(2)} times bare, ${verdict(most, ratioBudget)}`
  }
  printTable('Cold import', [bare, stock, ...handlers].map(row), [
    `Medians of ${samples} fresh processes each, each beside a bare one of its own. The bare handler is one document client with one GetItem, bundled`,
    'with the same settings; "whole SDK" is the same with nothing of the SDK left out, as esbuild does by itself. What is loaded later is',
    'not in these times; what it costs the request that needs it, `npm run bench -- first` tells.',
    `Largest at the start ${size(({ startBytes }) => startBytes, sizeBudgetKib.start)}, with all of Stripe’s client ${size(({ startBytes, lateBytes }) => startBytes + lateBytes, sizeBudgetKib.all)}.`,
    `Slowest by the clock ${slowest('toBare')}; in CPU time ${slowest('cpuToBare')}.`,
    'The clock shows what else the machine is doing too: on a busy one, single functions are off by 0.3 of a bare import. CPU time of the',
    'importing thread is what the clock shows on an idle one; it is off by 0.05.',
  ])
}
