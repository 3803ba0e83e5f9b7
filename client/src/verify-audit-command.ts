#!/usr/bin/env node
/** `verify-audit`: verifies an export of the audit trail, offline. */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { KeptHead } from './audit-heads.ts'
import type { ExportedCheckpoint } from './audit-lines.ts'
import type { AuditFault, AuditReport } from './audit-report.ts'
import type { AuditKey } from './audit-signature.ts'
import { type VerifyAuditOptions, verifyAuditExport } from './verify-audit.ts'

const usage = `Usage: verify-audit export.ndjson … --keys keys.json [options]

  export.ndjson   GET /api/v2/settings/audit-events/export: all pages, in one file or in several in their order; - reads stdin
  --keys          GET /api/v1/audit-key, kept from before the export
  --from, --to    the range of the export, if it has one
  --head          a head that you kept: a block's hash, or number:hash
  --checkpoint    a file with a checkpoint that you kept
  --json          print the report as JSON

Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable input.`

/** An input that cannot be verified: printed without a stack trace. */
class InputError extends Error {}

async function main(): Promise<number> {
  const { values, positionals: files } = parseArgs({
    allowPositionals: true,
    options: {
      keys: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      head: { type: 'string' },
      checkpoint: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  if (files.length === 0 || values.keys === undefined) throw new InputError(`Name an export and --keys.\n\n${usage}`)
  const keys = (await readJson(values.keys, 'GET /api/v1/audit-key')) as { keys: AuditKey[] }
  const options: VerifyAuditOptions = {
    ...(values.from === undefined ? {} : { from: values.from }),
    ...(values.to === undefined ? {} : { to: values.to }),
    ...(values.head === undefined ? {} : { head: headOf(values.head) }),
    ...(values.checkpoint === undefined ? {} : { checkpoint: await readCheckpoint(values.checkpoint) }),
  }
  const pages = files.map((name): Page => ({ name, before: 0 }))
  const report = await verifyAuditExport(linesOfAll(pages), keys, options)
  console.log(values.json ? JSON.stringify(report, null, 2) : textOf(report, pages))
  return report.valid ? 0 : 1
}

async function readJson(file: string, origin: string): Promise<unknown> {
  const text = await readFile(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch {
    throw new InputError(`${file} is not JSON. It should be the answer of ${origin}.`)
  }
}

function headOf(text: string): KeptHead {
  const [, block, hash] = /^(?:([1-9]\d{0,14}):)?([0-9a-f]{64})$/.exec(text) ?? []
  if (hash === undefined) throw new InputError(`--head must be the hash of a block, or number:hash, not ${text}`)
  return block === undefined ? { hash } : { block: Number(block), hash }
}

/** A checkpoint as op 69 lists it, or as a line of an export has it. */
async function readCheckpoint(file: string): Promise<ExportedCheckpoint> {
  const value = (await readJson(file, 'GET /api/v2/settings/audit-events/checkpoints')) as Record<
    string,
    unknown
  > | null
  const [listed] = Array.isArray(value?.data) ? (value.data as unknown[]) : []
  const checkpoint = (listed ?? value?.checkpoint ?? value) as ExportedCheckpoint | null
  const { org_id, block, hash, at, kid, signature } = checkpoint ?? {}
  const texts = [org_id, hash, at, kid, signature]
  if (!checkpoint || typeof block !== 'number' || texts.some((text) => typeof text !== 'string')) {
    throw new InputError(`${file} holds no checkpoint.`)
  }
  return checkpoint
}

/** A file of the export. */
interface Page {
  name: string
  /** Lines of the files before it. */
  before: number
}

/** The lines of all files. A page that does not end in a line break is cut, and its last line is not JSON. */
async function* linesOfAll(pages: readonly Page[]): AsyncGenerator<string> {
  let count = 0
  for (const page of pages) {
    page.before = count
    let isFirst = true
    for await (const line of linesOf(page.name === '-' ? process.stdin : createReadStream(page.name), page.name)) {
      if (isFirst) refuseOtherKinds(page.name, line)
      isFirst = false
      count += 1
      yield line
    }
    if (isFirst && pages.length === 1) throw new InputError(`${page.name} is empty.`)
  }
}

/** Splits at line feeds only: JSON may hold other line separators as they are. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode()
    } catch {
      throw new InputError(`${name} is not UTF-8 text.`)
    }
  }
  for await (const chunk of chunks) {
    const lines = (rest + decode(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  rest += decode()
  if (rest !== '') yield rest
}

/** Other files that people have at hand. */
function refuseOtherKinds(name: string, line: string): void {
  const wanted = 'Export with format=ndjson, and keep the body only.'
  if (line.startsWith('id,timestamp,')) throw new InputError(`${name} is CSV, which holds no blocks. ${wanted}`)
  if (line.startsWith('HTTP/')) throw new InputError(`${name} starts with the headers of an answer. ${wanted}`)
  const { title, status, data, keys } = objectOf(line)
  if (typeof status === 'number') throw new InputError(`${name} is an error of the service: ${status} ${title}`)
  if (Array.isArray(data)) throw new InputError(`${name} is a page of a list. ${wanted}`)
  if (Array.isArray(keys)) throw new InputError(`${name} holds keys, not an export.`)
}

function objectOf(line: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(line))
  } catch {
    return {}
  }
}

const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`

function textOf(report: AuditReport, pages: readonly Page[]): string {
  const { valid, events, blocks, first_block, last_block, faults, fault_count } = report
  const range = first_block === null ? 'no block' : `${counted(blocks, 'block')} (${first_block} to ${last_block})`
  const hidden = fault_count - faults.length
  return [
    `${valid ? 'Valid' : 'Not valid'}: ${counted(events, 'event')}, ${range}.`,
    ...notesOf(report),
    ...(valid ? [] : [`${counted(fault_count, 'fault')}:`]),
    ...faults.map((fault) => `  ${placeOf(fault, pages)}${fault.message} [${fault.reason}]`),
    ...(hidden > 0 ? [`  and ${counted(hidden, 'fault')} more`] : []),
  ].join('\n')
}

function notesOf(report: AuditReport): string[] {
  const { signed_through, unsigned_blocks, unsealed, first_block, last_block } = report
  return [
    signed_through === null ? 'No block is signed.' : `Signed through block ${signed_through}.`,
    ...(unsigned_blocks > 0 ? [`Not signed yet: ${counted(unsigned_blocks, 'block')}.`] : []),
    ...(unsealed > 0 ? [`In no block yet, so not proven: ${counted(unsealed, 'event')}.`] : []),
    ...(first_block !== null && first_block > 1
      ? [`Older blocks are not in it: they have expired, are outside the range, or are on a page that is missing.`]
      : []),
    ...(last_block === null ? [] : [`If the service has a block after ${last_block}, a page may be missing.`]),
  ]
}

/** The file and line of a fault; the line alone where there is one file. */
function placeOf({ line }: AuditFault, pages: readonly Page[]): string {
  if (line === undefined) return ''
  const page = pages.findLast(({ before }) => before < line)
  return pages.length === 1 || !page ? `line ${line}: ` : `${page.name} line ${line - page.before}: `
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error: Error & { code?: string; path?: string }) => {
    // Any other error is a defect of the command, whose stack is of use.
    const isExpected = error instanceof InputError || error instanceof TypeError || error.code !== undefined
    const message = error.code === 'ENOENT' ? `There is no file ${error.path}.` : error.message
    console.error(isExpected ? message : error)
    process.exitCode = 2
  },
)
