/** Keeps the local Stripe in a file that only its owner can read, so that it survives a restart. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Stripe from 'stripe'
import type { SavedStore, Store } from './model/store.ts'

/** The mode of a file that only its owner can read and write. */
const ownerOnly = 0o600

/** Many changes in a moment are one write. */
const settleMs = 200

/** Loads what the file has, and writes the store there whenever it has changed. */
export function keepStore(store: Store, file: string): { flush(): void } {
  if (existsSync(file)) store.load(read(file))
  let waiting: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(waiting)
    waiting = undefined
    // Whoever is ended in the middle of a write still finds the last whole file.
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.new`, JSON.stringify(store.save()), { mode: ownerOnly })
    renameSync(`${file}.new`, file)
  }
  store.onChange = () => {
    waiting ??= setTimeout(flush, settleMs)
  }
  flush()
  return { flush }
}

/** The fields that the package reads as decimals: text in JSON. */
const decimals = new Set(['unit_amount_decimal', 'amount_decimal', 'quantity_decimal'])

function read(file: string): SavedStore {
  try {
    return JSON.parse(readFileSync(file, 'utf8'), (field, value: unknown) =>
      decimals.has(field) && typeof value === 'string' ? Stripe.Decimal.from(value) : value,
    ) as SavedStore
  } catch (cause) {
    throw new Error(`${file} cannot be read; start over with: npm run dev -- --fresh`, { cause })
  }
}
