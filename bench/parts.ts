/** The parts of the bench, in the order in which they run and print. */
import { measureColdImports } from './cold.ts'
import { measureContention } from './contention.ts'
import { measureDelivery } from './delivery.ts'
import { measureFirstRequests } from './first-request.ts'
import { measureHealth } from './health.ts'
import { measureIntrospection } from './introspection.ts'
import { measureLists } from './lists.ts'
import { measurePeers } from './peers.ts'
import { measurePipeline } from './pipeline.ts'
import type { Report } from './report.ts'
import { measureRequests } from './requests.ts'
import { measureSynth } from './synth.ts'
import { measureUnits } from './units.ts'
import { measureUsage } from './usage.ts'

/** Settings of a run. */
export interface Settings {
  /** Length of each round beside the peers. */
  seconds: number
}

export const parts = {
  cold: measureColdImports,
  first: measureFirstRequests,
  pipeline: measurePipeline,
  requests: measureRequests,
  peers: measurePeers,
  introspection: measureIntrospection,
  lists: measureLists,
  contention: measureContention,
  usage: measureUsage,
  units: measureUnits,
  health: measureHealth,
  delivery: measureDelivery,
  synth: measureSynth,
} as const satisfies Record<string, (settings: Settings) => Promise<Report>>

export type PartName = keyof typeof parts
