/** How inference chooses among targets. */
import * as z from 'zod'
import { lazy } from '../lazy.ts'
import type { DocumentKind } from '../storage/document.ts'

export const routingFields = lazy(() => ({
  strategy: z.enum(['priority', 'weighted', 'round_robin', 'least_inflight', 'lowest_latency']).meta({
    description: 'How a target is chosen among those that can serve a request.',
  }),
  cooldown_seconds: z.int().min(0).max(3600).meta({
    description: 'Seconds without requests to a failing target; 0: only as long as the target asks for (Retry-After).',
  }),
}))

export const routingSchema = lazy(() =>
  z.object(routingFields()).meta({ id: 'Routing', description: 'How inference chooses among targets.' }),
)

export type Routing = z.infer<ReturnType<typeof routingSchema>>

export const routing: DocumentKind<Routing> = {
  sortKey: 'ROUTING',
  resource: 'routing',
  updated: 'routing.updated',
  defaults: { strategy: 'priority', cooldown_seconds: 60 },
}
