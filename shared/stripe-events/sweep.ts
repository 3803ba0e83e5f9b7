/** The sweep finds changes that events did not bring: first lost events, then customer by customer. */
import * as z from 'zod'
import { syncCustomer } from '../billing/sync.ts'
import { lazy } from '../lazy.ts'
import type { Run } from '../runtime/background.ts'
import { log } from '../runtime/log.ts'
import { realTiming } from '../runtime/timing.ts'
import { compareEvents } from './compare-events.ts'
import { listStripeEvents } from './list-events.ts'
import { asUsual, atOnce, type SweepPorts, SweepRun, type SweepSummary } from './sweep-run.ts'
import { readSweepState } from './sweep-state.ts'
import { walkCustomers } from './walk-customers.ts'

const realPorts: SweepPorts = {
  timing: realTiming,
  sync: (request) => syncCustomer(request),
  listEvents: listStripeEvents,
}

/** The options of a manual run; a scheduled run has none. */
const requestSchema = lazy(() => z.object({ thorough: z.boolean() }).catch({ thorough: false }))

/** Runs the sweep for the schedule, or manually with `{"thorough": true}`. */
export const sweepAsAsked = (event: unknown, run: Run): Promise<SweepSummary> => {
  const { thorough } = requestSchema().parse(event)
  return sweep(run, realPorts, thorough ? atOnce : asUsual)
}

/**
 * One run of the sweep.
 *
 * @throws Error at the end if a part failed; the other parts were done
 */
export async function sweep(run: Run, ports: SweepPorts = realPorts, patience = asUsual): Promise<SweepSummary> {
  const sweeping = new SweepRun(run, ports, patience)
  const state = await compareEvents(sweeping, await readSweepState())
  await walkCustomers(sweeping, state)
  const { summary } = sweeping
  log.info('billing sweep', { request_id: run.requestId, ...summary })
  if (summary.failed > 0) throw new Error(`${summary.failed} parts of the sweep have failed; each is logged`)
  return summary
}
