/** Cold imports: Lambda's work before a function's first request. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleEntry, type Code, type ColdStart, coldStart, copyHandlers } from './cold-process.ts'
import { type Budget, kib, median, ms, type Report, ratio, type TableRow } from './report.ts'

const samples = 11
/** Limits for the code that a function loads at the start, and for all its code. Stripe's client loads later. */
const sizeBudgetKib = { start: 440, all: 720 }
const stockRatioBudget = 1.2

interface Subject extends Code {
  starts: ColdStart[]
  /** Ratio of each import to the import of the bare handler just before it. */
  toBare: number[]
  cpuToBare: number[]
}

const subject = (code: Code): Subject => ({ ...code, starts: [], toBare: [], cpuToBare: [] })

export async function measureColdImports(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const bare = subject(bundleEntry(folder, 'bare handler', 'bare-handler.ts'))
    const stock = subject(bundleEntry(folder, 'bare handler, whole SDK', 'bare-handler.ts', { alias: {} }))
    const hono = subject(bundleEntry(folder, 'five operations in Hono and zod', 'hono-handler.ts'))
    const handlers = copyHandlers(folder).map(subject)
    // In turns and in pairs, so that a slow second of the machine affects both sides of a ratio.
    for (let sample = 0; sample < samples; sample++) {
      for (const each of [stock, hono, ...handlers]) {
        const base = await measure(bare, folder)
        const start = await measure(each, folder)
        each.toBare.push(start.importMs / base.importMs)
        each.cpuToBare.push(start.importCpuMs / base.importCpuMs)
      }
    }
    return report(bare, stock, hono, handlers)
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

function report(bare: Subject, stock: Subject, hono: Subject, handlers: readonly Subject[]): Report {
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
  const note = `Medians of ${samples} fresh processes each, paired with a fresh bare process. The bare handler is one document client with one GetItem, bundled with the same settings. "Whole SDK" is the same handler with esbuild’s default, which omits nothing of the SDK. The Hono function has five operations on our entities. These times exclude packages that load later; the next table has their cost. Wall-clock times depend on the load of the machine: on a busy one they vary by 0.3 of a bare import, and CPU time of the importing thread by 0.05.`
  return {
    tables: [{ title: 'Cold imports', rows: [bare, stock, hono, ...handlers].map(row), note }],
    budgets: budgetsOf(stock, handlers),
  }
}

function budgetsOf(stock: Subject, handlers: readonly Subject[]): Budget[] {
  const largest = (what: string, bytesOf: (code: Code) => number, limitKib: number): Budget => {
    const largestKib = Math.max(...handlers.map(bytesOf)) / 1024
    return { what, measured: `${largestKib.toFixed(0)} KiB`, limit: `${limitKib} KiB`, isKept: largestKib <= limitKib }
  }
  return [
    largest('largest bundle at the start', ({ startBytes }) => startBytes, sizeBudgetKib.start),
    largest('largest with Stripe’s client', ({ startBytes, lateBytes }) => startBytes + lateBytes, sizeBudgetKib.all),
    slowestToStock(stock, handlers),
  ]
}

/** Beside the document client as esbuild bundles it by default: what most functions of others start with. */
function slowestToStock(stock: Subject, handlers: readonly Subject[]): Budget {
  const slowestMs = Math.max(...handlers.map((each) => medianOf(each, 'importCpuMs')))
  const toStock = slowestMs / medianOf(stock, 'importCpuMs')
  const limit = `${stockRatioBudget.toFixed(2)}x a document client with the whole SDK`
  return {
    what: 'slowest cold import, CPU time',
    measured: ratio(toStock, 1),
    limit,
    isKept: toStock <= stockRatioBudget,
  }
}
