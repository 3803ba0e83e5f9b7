/** A trail that the real service wrote, sealed, signed and exported. */
import { vi } from 'vitest'
import { seal } from './governance.ts'
import { invoke, type Response } from './invoke.ts'
import { makeBusyOrg, makeKey, type TestOrg } from './orgs.ts'

const minuteMs = 60_000

/** Moves the clock of the service. */
export const pass = (minutes: number): unknown => vi.setSystemTime(Date.now() + minutes * minuteMs)

/** Creates API keys, a minute apart. */
export async function addEvents(org: TestOrg, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    pass(1)
    await makeKey(org, { name: `key é ${index}`, rate_limit_per_minute: 100 + index })
  }
}

/**
 * An org with four blocks, an hour apart, and an event in no block. Blocks 1 and 3 are signed. Fakes the clock, which the
 * caller gives back.
 */
export async function makeTrail(): Promise<TestOrg> {
  vi.useFakeTimers({ toFake: ['Date'] })
  const org = await makeBusyOrg()
  await seal(org)
  for (const count of [2, 3, 2]) {
    pass(60)
    await addEvents(org, count)
    await seal(org)
  }
  await addEvents(org, 1)
  return org
}

/** The pages of an export in `ndjson`, through the handler. */
export async function exportPages({ adminKey }: TestOrg, query: Record<string, string> = {}): Promise<string[]> {
  const pages: string[] = []
  for (let asked: Record<string, string> | undefined = query; asked; ) {
    const page: Response<unknown> = await invoke('audit-events/export', { token: adminKey, query: asked })
    if (page.status !== 200) throw new Error(page.text)
    pages.push(page.text)
    const next = page.headers.link?.match(/^<([^>]+)>; rel="next"$/)?.[1]
    asked = next ? Object.fromEntries(new URL(next, 'http://localhost').searchParams) : undefined
  }
  return pages
}
