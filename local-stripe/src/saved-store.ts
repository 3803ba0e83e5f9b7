/** Saves the local Stripe's state in a file that only its owner can read, so that it survives a restart. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import Stripe from 'stripe'
import type { SavedStore, Store } from './model/store.ts'

/** The mode of a file that only its owner can read and write. */
const ownerOnly = 0o600

/** Changes within this time become one write. */
const settleMs = 200

/** Loads the file, if there is one, and writes the store to it after each change. */
export function keepStore(store: Store, file: string): { flush(): void } {
  if (existsSync(file)) store.load(read(file))
  let waiting: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(waiting)
    waiting = undefined
    // Write and rename, so that a crash in the middle of a write leaves the previous file intact.
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

/** Fields that Stripe's client reads as decimals. JSON holds them as text. */
const decimals = new Set(['unit_amount_decimal', 'amount_decimal', 'quantity_decimal'])

function read(file: string): SavedStore {
  try {
    return JSON.parse(readFileSync(file, 'utf8'), (field, value: unknown) =>
      decimals.has(field) && typeof value === 'string' ? Stripe.Decimal.from(value) : value,
    ) as SavedStore
  } catch (cause) {
    throw new Error(`${file} cannot be read; start again with: npm run dev -- --fresh`, { cause })
  }
}
