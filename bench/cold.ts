/**
 * Cold imports: what Lambda does before a function's first request. Each bundle is imported by a fresh process, from an
 * empty folder outside the repository, so that a bundle that needs anything beside itself fails here.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { backgroundList } from '../functions/background.ts'
import { operationList } from '../functions/operations.ts'
import { bundle, bundleSettings } from '../lib/bundle.ts'
import type { Access } from '../shared/http/operation.ts'
import { type Budget, kib, median, ms, type Report, ratio, type TableRow } from './report.ts'

const samples = 7
/** Of a bundle; Stripe's client has a place of its own. */
const sizeBudgetKib = { others: 450, stripe: 750 }
const ratioBudget = 1.5

interface Subject {
  name: string
  file: string
  bytes: number
  importMs: number[]
  processMs: number[]
  /** Each import against that of the bare handler right before it. */
  toBare: number[]
}

const subject = (name: string, file: string, bytes: number): Subject => ({
  name,
  file,
  bytes,
  importMs: [],
  processMs: [],
  toBare: [],
})

export async function measureColdImports(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const bare = bundleBare(folder, 'bare handler', {})
    const stock = bundleBare(folder, 'bare handler, whole SDK', { alias: {} })
    const handlers = copyHandlers(folder)
    // In turns and in pairs, so that a slow second of the machine falls on both sides of a ratio.
    for (let sample = 0; sample < samples; sample++) {
      for (const each of [stock, ...handlers]) {
        const bareMs = measure(bare, folder)
        each.toBare.push(measure(each, folder) / bareMs)
      }
    }
    return report(bare, stock, handlers)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function copyHandlers(folder: string): Subject[] {
  const { bytes, folderOf } = bundle()
  return Object.entries(bytes).map(([name, size]) => {
    cpSync(folderOf(name), join(folder, name), { recursive: true })
    return subject(name, join(folder, name, 'index.mjs'), size)
  })
}

/** One document client and one read, bundled as the handlers are but for `settings`. */
function bundleBare(folder: string, name: string, settings: { alias?: Record<string, string> }): Subject {
  const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`)
  const { metafile } = buildSync({
    ...bundleSettings,
    ...settings,
    entryPoints: ['bench/bare-handler.ts'],
    outExtension: {},
    outfile: file,
    metafile: true,
  })
  return subject(name, file, Object.values(metafile.outputs)[0]?.bytes ?? 0)
}

const importOnce = `
const [file] = process.argv.slice(1)
const start = performance.now()
const { handler } = await import(file)
const importMs = performance.now() - start
if (typeof handler !== 'function') throw new TypeError(file + ' has no handler')
process.stdout.write(String(importMs))`

/** One fresh process; hands back its import time in milliseconds. */
function measure({ file, importMs, processMs }: Subject, cwd: string): number {
  const start = performance.now()
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', importOnce, file], {
    cwd,
    encoding: 'utf8',
    env: { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench', TABLE_NAME: 'bench' },
  })
  processMs.push(performance.now() - start)
  importMs.push(Number(said))
  return Number(said)
}

function report(bare: Subject, stock: Subject, handlers: readonly Subject[]): Report {
  const row = ({ name, bytes, importMs, processMs, toBare }: Subject): TableRow => ({
    function: name,
    KiB: kib(bytes),
    'import ms': ms(median(importMs)),
    'to bare': ratio(toBare.length > 0 ? median(toBare) : 1, 1),
    'to whole SDK': ratio(median(importMs), median(stock.importMs)),
    'process ms': ms(median(processMs)),
  })
  const note = `Medians of ${samples} fresh processes each, each beside a bare one of its own. The bare handler is one document client with one GetItem, bundled with the same settings; "whole SDK" is the same with nothing of the SDK left out, as esbuild does by itself.`
  return {
    tables: [{ title: 'Cold imports', rows: [bare, stock, ...handlers].map(row), note }],
    budgets: budgetsOf(handlers),
  }
}

function budgetsOf(handlers: readonly Subject[]): Budget[] {
  const [withStripe, others] = [handlers.filter(callsStripe), handlers.filter((handler) => !callsStripe(handler))]
  const sizeBudget = (what: string, subjects: readonly Subject[], limitKib: number): Budget => {
    const largestKib = Math.max(...subjects.map(({ bytes }) => bytes)) / 1024
    return { what, measured: `${largestKib.toFixed(0)} KiB`, limit: `${limitKib} KiB`, isKept: largestKib <= limitKib }
  }
  const slowest = Math.max(...handlers.map(({ toBare }) => median(toBare)))
  return [
    sizeBudget('largest bundle', others, sizeBudgetKib.others),
    sizeBudget('largest bundle that brings Stripe’s client', withStripe, sizeBudgetKib.stripe),
    {
      what: 'slowest cold import',
      measured: ratio(slowest, 1),
      limit: `${ratioBudget.toFixed(2)}x a bare document client`,
      isKept: slowest <= ratioBudget,
    },
  ]
}

/** Whether a function may call Stripe, and so brings its client. */
const callsStripe = ({ name }: Subject): boolean => declared.get(name)?.access.stripe === true

const declared = new Map<string, { access: Access }>([...operationList, ...backgroundList])
