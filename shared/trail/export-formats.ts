/** The formats of an export. */
import type { AuditEvent } from '../audit/event.ts'
import type { ExportLine } from './export.ts'

export interface ExportFormat {
  mediaType: string
  /** Bytes of a line. */
  sizeOf(line: ExportLine): number
  bodyOf(lines: readonly ExportLine[]): string
}

const ndjsonOf = (line: ExportLine): string => `${JSON.stringify(line)}\n`
const csvOf = (line: ExportLine): string => ('event' in line ? csvLine(cellsOf(line.event)) : '')

export const formats: Readonly<Record<'ndjson' | 'csv', ExportFormat>> = {
  ndjson: {
    mediaType: 'application/x-ndjson',
    sizeOf: (line) => Buffer.byteLength(ndjsonOf(line)),
    bodyOf: (lines) => lines.map(ndjsonOf).join(''),
  },
  csv: {
    mediaType: 'text/csv; charset=utf-8; header=present',
    sizeOf: (line) => Buffer.byteLength(csvOf(line)),
    bodyOf: (lines) => csvLine(columns) + lines.map(csvOf).join(''),
  },
}

const columns = [
  ...['id', 'timestamp', 'action', 'actor_type', 'actor_id', 'actor_email'],
  ...['resource_type', 'resource_id', 'resource_name', 'result', 'changes'],
  ...['request_id', 'ip', 'user_agent', 'hash', 'sealed'],
]

const cellsOf = ({ actor, resource, changes, ...event }: AuditEvent): unknown[] => [
  ...[event.id, event.timestamp, event.action, actor.type, actor.id, actor.email],
  ...[resource.type, resource.id, resource.name, event.result, JSON.stringify(changes)],
  ...[event.request_id, event.ip, event.user_agent, event.hash, event.sealed],
]

/** RFC 4180. */
const csvLine = (cells: readonly unknown[]): string => `${cells.map(cellOf).join(',')}\r\n`

function cellOf(value: unknown): string {
  const text = String(value ?? '')
  // A spreadsheet runs a cell that begins with one of these as a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
